import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

/** The command line program of the installed package. */
const kstate = fileURLToPath(new URL("dist/cli/main.js", import.meta.resolve("kstate/package.json")));

export interface CommandResult {
  readonly exitCode: number;
  readonly output: string;
  readonly errors: string;
}

/** An example under `kstate run`, in a runtime directory of its own. */
export class Service {
  readonly #name: string;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #logFile: string;
  readonly #supervisor: ChildProcess;

  /** Starts it; the output of the programs goes to a file in `directory`. */
  constructor(
    directory: string,
    program: string,
    { name = "arena", options = [] }: { readonly name?: string; readonly options?: readonly string[] } = {},
  ) {
    this.#name = name;
    this.#environment = { ...process.env, KSTATE_RUNTIME_DIR: directory, KSTATE_DIR: directory };
    this.#logFile = join(directory, `${name}.log`);
    const log = openSync(this.#logFile, "a");
    const command = [kstate, "run", "--name", name, ...options, "--", process.execPath, program];
    this.#supervisor = spawn(process.execPath, command, {
      env: this.#environment,
      stdio: ["ignore", log, log],
      detached: true, // Ctrl-C is for the runner, which ends the service in order
    });
    closeSync(log);
  }

  get supervisorPid(): number {
    return this.#supervisor.pid!;
  }

  get #ended(): boolean {
    return this.#supervisor.exitCode !== null || this.#supervisor.signalCode !== null;
  }

  /** Resolves with the address when the program serves. */
  async serving(): Promise<string> {
    for (;;) {
      const { exitCode, output } = await this.command("status", ["--json"]);
      if (this.#ended) throw new Error(`the service ended:\n${this.log()}`);
      if (exitCode !== 0) continue;
      const { program, listeners } = JSON.parse(output) as {
        program: { phase: string };
        listeners: string[];
      };
      if (program.phase === "serving") return listeners[0]!;
    }
  }

  /** Runs `kstate COMMAND --name …`. */
  async command(command: string, args: readonly string[] = []): Promise<CommandResult> {
    const child = spawn(process.execPath, [kstate, command, "--name", this.#name, ...args], {
      env: this.#environment,
    });
    const [output, errors, [exitCode]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, "close") as Promise<[number]>,
    ]);
    return { exitCode, output, errors };
  }

  log(): string {
    return readFileSync(this.#logFile, "utf8");
  }

  /** Ends it, one way or another. */
  async end(): Promise<void> {
    if (this.#ended) return;
    const exited = once(this.#supervisor, "exit");
    const { exitCode } = await this.command("stop");
    // A supervisor that does not answer yet understands SIGTERM: it ends its program, too.
    if (exitCode !== 0) this.#supervisor.kill("SIGTERM");
    await exited;
  }
}
