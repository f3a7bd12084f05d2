import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { Agent, get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { WebSocket } from "ws";
import { ChildOutput } from "./child-output.js";

export const cli = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));

/** A fixture's compiled file. */
export function fixture(name: string): string {
  return fileURLToPath(new URL(`../live/fixtures/${name}.js`, import.meta.url));
}

/** A directory for control sockets that goes with the test. */
export function runtimeDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "kstate-test-"));
  t.after(() => {
    for (const path of [directory, `${directory}.states`]) rmSync(path, { recursive: true, force: true });
  });
  return directory;
}

/** Starts `kstate` with arguments. */
export function startKstate(
  directory: string,
  args: readonly string[],
  env: Record<string, string> = {},
  cwd?: string,
  stderr: number | "pipe" = "pipe",
): ChildOutput {
  return new ChildOutput(
    spawn(process.execPath, [cli, ...args], {
      env: {
        ...process.env,
        KSTATE_DIR: `${directory}.states`,
        ...env,
        KSTATE_RUNTIME_DIR: directory,
      },
      cwd,
      stdio: ["ignore", "pipe", stderr],
    }),
  );
}

/** Starts Node with arguments; it ends with the test. */
export function startProcess(
  t: TestContext,
  args: readonly string[],
  env: Record<string, string>,
): ChildOutput {
  const output = new ChildOutput(
    spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] }),
  );
  t.after(async () => {
    output.child.kill("SIGKILL");
    await output.exited();
  });
  return output;
}

export interface CommandResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `kstate` with arguments to its end. */
export async function kstate(directory: string, ...args: string[]): Promise<CommandResult> {
  const output = startKstate(directory, args);
  const status = await output.closed();
  return { status, stdout: output.stdout, stderr: output.stderr };
}

export interface Answer {
  readonly body: Record<string, unknown>;
  /** The client's port: the same one is the same connection. */
  readonly connection: number;
}

/** The processes that were started with a runtime directory. */
export function processesOf(directory: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, "utf8").includes(`KSTATE_RUNTIME_DIR=${directory}\0`);
      } catch {
        return false; // it has just ended
      }
    })
    .map(Number);
}

/** A service under `kstate run`, until the test ends. */
export class Service {
  readonly directory: string;
  supervisor: ChildOutput;
  port = 0;
  readonly #agents = [true, false].map((keepAlive) => new Agent({ keepAlive, maxSockets: 1 }));

  private constructor(directory: string, supervisor: ChildOutput) {
    this.directory = directory;
    this.supervisor = supervisor;
  }

  /** Starts a fixture; `env` is for its first version. Without `serving` it does not wait for anything. */
  static start(
    t: TestContext,
    name: string,
    {
      env = {},
      serving = true,
      options = [],
      stderr = "pipe",
    }: {
      env?: Record<string, string>;
      serving?: boolean;
      options?: readonly string[];
      stderr?: number | "pipe";
    } = {},
  ): Promise<Service> {
    const command = [process.execPath, "--enable-source-maps", fixture(name)];
    return Service.startCommand(t, command, env, serving, options, undefined, stderr);
  }

  /** Starts any command. */
  static async startCommand(
    t: TestContext,
    command: readonly string[],
    env: Record<string, string>,
    serving = true,
    options: readonly string[] = [],
    cwd?: string,
    stderr: number | "pipe" = "pipe",
  ): Promise<Service> {
    const directory = runtimeDirectory(t);
    const service = new Service(
      directory,
      startKstate(directory, ["run", ...options, "--", ...command], env, cwd, stderr),
    );
    t.after(async () => {
      for (const agent of service.#agents) agent.destroy();
      service.supervisor.child.kill("SIGTERM");
      await service.supervisor.exited();
      for (const pid of processesOf(directory)) process.kill(pid, "SIGKILL"); // left by a supervisor that was killed
    });
    if (serving) {
      await (stderr === "pipe" ? service.supervisor.saw(/ serves/) : service.#untilServing());
      const { stdout } = await service.kstate("status", "--json");
      service.port = Number(
        /:(\d+)$/.exec((JSON.parse(stdout) as { listeners: string[] }).listeners[0] ?? "")?.[1],
      );
    }
    return service;
  }

  /** For a log that is not read: nothing else than asking tells. */
  async #untilServing(): Promise<void> {
    for (;;) {
      const { status, stdout } = await this.kstate("status", "--json");
      if (status === 0 && stdout.includes('"phase":"serving"')) return;
    }
  }

  /** Kills the supervisor; the program stays. */
  async killSupervisor(): Promise<void> {
    this.supervisor.child.kill("SIGKILL");
    await this.supervisor.exited();
  }

  /** Starts another supervisor for what is left, and waits until it knows that the program serves. */
  async adopt(...args: string[]): Promise<ChildOutput> {
    this.supervisor = startKstate(this.directory, ["run", "--adopt", ...args]);
    await this.supervisor.saw(/ serves/);
    return this.supervisor;
  }

  kstate(...args: string[]): Promise<CommandResult> {
    return kstate(this.directory, ...args);
  }

  /** Updates to the same fixture with other environment variables. */
  update(env: Record<string, string> = {}, ...options: string[]): Promise<CommandResult> {
    return this.kstate(
      "update",
      ...Object.entries(env).flatMap(([key, value]) => ["--env", `${key}=${value}`]),
      ...options,
    );
  }

  /** Begins the same update as {@link update}, to watch it. */
  startUpdate(...options: string[]): ChildOutput {
    return startKstate(this.directory, ["update", ...options]);
  }

  /** GETs a path over one keep-alive connection. */
  async get(path: string): Promise<Answer> {
    const { text, connection } = await this.#get(path, this.#agents[0]!);
    return { body: text.startsWith("{") ? JSON.parse(text) : { text }, connection };
  }

  /** GETs a path, over new connections as long as the old ones' program has ended. */
  async connectAgain(path: string): Promise<Answer> {
    for (;;) {
      try {
        return await this.get(path);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ECONNRESET" && !/hang up/.test(String(error)))
          throw error;
      }
    }
  }

  /** GETs a path over a connection of its own: one that was slow before is held back while the program quiesces. */
  async other(path: string): Promise<void> {
    await this.#get(path, this.#agents[1]!);
  }

  async getJson(path: string): Promise<unknown> {
    return JSON.parse((await this.#get(path, this.#agents[0]!)).text);
  }

  #get(path: string, agent: Agent): Promise<{ text: string; connection: number }> {
    return new Promise((resolve, reject) => {
      const request = get({ port: this.port, host: "127.0.0.1", path, agent }, (response) => {
        let text = "";
        const connection = response.socket.localPort ?? 0;
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          text += chunk;
        });
        response.once("end", () => resolve({ text, connection }));
      });
      request.once("error", reject);
    });
  }

  /** Opens a WebSocket; it is ended with the test. */
  async openWebSocket(t: TestContext, path = ""): Promise<Client> {
    const socket = new WebSocket(`ws://127.0.0.1:${this.port}/${path}`);
    t.after(() => socket.terminate());
    await once(socket, "open");
    return new Client(socket);
  }
}

/** A WebSocket whose messages are taken one by one. */
export class Client {
  readonly socket: WebSocket;
  readonly #messages: string[] = [];
  #waiting: (() => void) | undefined;
  closed: { code: number; reason: string } | undefined;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("message", (data) => {
      this.#messages.push(String(data));
      this.#waiting?.();
    });
    socket.on("close", (code, reason) => {
      this.closed = { code, reason: String(reason) };
      this.#waiting?.();
    });
  }

  /** The next message; fails when the connection closes instead. */
  async next(): Promise<string> {
    while (this.#messages.length === 0) {
      if (this.closed !== undefined) throw new Error(`closed with ${this.closed.code} ${this.closed.reason}`);
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
    return this.#messages.shift()!;
  }

  /** Sends a message and takes the next one. */
  ask(text: string): Promise<string> {
    this.socket.send(text);
    return this.next();
  }
}
