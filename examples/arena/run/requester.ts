import { Agent, type AgentOptions, request } from "node:http";
import { text } from "node:stream/consumers";

/** Makes HTTP requests on one keep-alive connection, and counts what goes wrong. */
export class Requester {
  readonly #address: URL;
  readonly #agent: Agent | false;
  readonly #problem: (text: string) => void;
  requests = 0;
  failed = 0;
  posts = 0;
  /** Connections that were opened. */
  connections = 0;

  /** With `keepAlive: false` every request has a connection of its own. */
  constructor(
    address: string,
    problem: (text: string) => void,
    { keepAlive }: AgentOptions = { keepAlive: true },
  ) {
    this.#address = new URL(`http://${address}`);
    this.#agent = keepAlive ? new Agent({ keepAlive: true, maxSockets: 1 }) : false;
    this.#problem = problem;
  }

  /** Resolves when the answer has come, or has failed to. */
  async request(method: "GET" | "POST", path: string, body?: object): Promise<void> {
    this.requests += 1;
    try {
      const status = await this.#send(method, path, body);
      if (status >= 300) throw new Error(`status ${status}`);
      if (method === "POST") this.posts += 1;
    } catch (error) {
      this.failed += 1;
      this.#problem(`${method} ${path}: ${(error as Error).message}`);
    }
  }

  #send(method: string, path: string, body?: object): Promise<number> {
    return new Promise((resolve, reject) => {
      const outgoing = request(new URL(path, this.#address), { method, agent: this.#agent }, (response) => {
        text(response).then(() => resolve(response.statusCode ?? 0), reject);
      });
      outgoing.on("socket", (socket) => {
        if (socket.connecting) this.connections += 1;
      });
      outgoing.on("error", reject);
      outgoing.end(body && JSON.stringify(body));
    });
  }

  close(): void {
    if (this.#agent) this.#agent.destroy();
  }
}
