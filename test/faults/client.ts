import { Agent, request } from "node:http";
import { setTimeout } from "node:timers/promises";
import { WebSocket } from "ws";

/** Between two numbers: faults are looked for, not throughput. */
const PAUSE_MS = 5;

/** Counts upwards: sends its next number when the last one was acknowledged, and the same again when the connection broke. */
export abstract class CountingClient {
  readonly name: string;
  readonly port: number;
  acknowledged = 0;
  /** Times that it had to connect again. */
  broken = 0;
  protected ended = false;
  #watch: (() => void) | undefined;
  #failure: Error | undefined;
  #running: Promise<void> | undefined;

  constructor(name: string, port: number) {
    this.name = name;
    this.port = port;
  }

  begin(): void {
    this.#running = this.#run().catch((error: Error) => {
      this.#failure = error;
      this.#watch?.();
    });
  }

  /** The number that the service has taken last; null when the connection broke. */
  protected abstract send(number: number): Promise<number | null>;

  async #run(): Promise<void> {
    while (!this.ended) {
      const number = this.acknowledged + 1;
      const last = await this.send(number);
      if (last === null) {
        this.broken += 1;
        continue;
      }
      if (last !== number)
        throw new Error(`${this.name} sent ${number} and was told ${last}: a number was lost`);
      this.acknowledged = number;
      this.#watch?.();
      await setTimeout(PAUSE_MS);
    }
  }

  /** Waits for more acknowledgements. */
  async more(count: number): Promise<void> {
    const wanted = this.acknowledged + count;
    while (this.acknowledged < wanted) {
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#watch = resolve;
      });
    }
  }

  async end(): Promise<void> {
    this.ended = true;
    await this.#running;
    if (this.#failure !== undefined) throw this.#failure;
  }
}

export class HttpClient extends CountingClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  #localPort: number | undefined;

  protected send(number: number): Promise<number | null> {
    return new Promise((resolve, reject) => {
      const path = `/take?client=${this.name}&number=${number}`;
      const asked = request({ port: this.port, host: "127.0.0.1", path, agent: this.#agent }, (response) => {
        let text = "";
        const { localPort } = response.socket;
        if (this.#localPort !== undefined && this.#localPort !== localPort) this.broken += 1; // between two requests
        this.#localPort = localPort;
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          text += chunk;
        });
        response.once("error", () => resolve(null));
        response.once("end", () => {
          try {
            resolve((JSON.parse(text) as { last: number }).last);
          } catch (error) {
            reject(error);
          }
        });
      });
      asked.once("error", () => resolve(null));
      asked.end();
    });
  }

  override async end(): Promise<void> {
    await super.end();
    this.#agent.destroy();
  }
}

export class WebSocketClient extends CountingClient {
  #socket: WebSocket | undefined;

  protected async send(number: number): Promise<number | null> {
    const socket = await this.#open();
    if (socket === null) return null;
    return new Promise((resolve, reject) => {
      const done = (settle: () => void): void => {
        socket.removeAllListeners("message");
        socket.removeAllListeners("close");
        settle();
      };
      socket.once("close", () => done(() => resolve(null)));
      socket.once("message", (data) => {
        const count = JSON.parse(String(data)) as { last: number } | null;
        done(() =>
          count === null ? reject(new Error(`${this.name}: ${number} was refused`)) : resolve(count.last),
        );
      });
      socket.send(JSON.stringify({ client: this.name, number }));
    });
  }

  #open(): Promise<WebSocket | null> {
    if (this.#socket?.readyState === WebSocket.OPEN) return Promise.resolve(this.#socket);
    if (this.#socket !== undefined) this.broken += 1;
    const socket = new WebSocket(`ws://127.0.0.1:${this.port}`);
    this.#socket = socket;
    return new Promise((resolve) => {
      socket.once("open", () => resolve(socket));
      socket.on("error", () => resolve(null));
    });
  }

  override async end(): Promise<void> {
    await super.end();
    this.#socket?.terminate();
  }
}
