import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { Service } from "../support/service.js";
import { type CountingClient, HttpClient, WebSocketClient } from "./client.js";

/** The command of the service of the fault matrix. */
export const LEDGER: readonly string[] = [
  process.execPath,
  "--enable-source-maps",
  fileURLToPath(new URL("ledger.js", import.meta.url)),
];

export interface CountedOptions {
  readonly command?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly options?: readonly string[];
  readonly cwd?: string;
  /** Where its log goes; it is read otherwise. */
  readonly stderr?: number;
}

/** The ledger under a supervisor, with two HTTP clients and a WebSocket that count upwards all the time. */
export class CountedService {
  readonly service: Service;
  readonly clients: readonly CountingClient[];

  private constructor(service: Service) {
    const { port } = service;
    this.service = service;
    this.clients = [new HttpClient("a", port), new HttpClient("b", port), new WebSocketClient("c", port)];
  }

  /** Starts it as the old version; it and its clients end with the test. */
  static async begin(
    t: TestContext,
    { command = LEDGER, env = {}, options = [], cwd, stderr }: CountedOptions = {},
  ): Promise<CountedService> {
    const service = await Service.startCommand(
      t,
      command,
      { ROLE: "old", ...env },
      true,
      options,
      cwd,
      stderr,
    );
    const counted = new CountedService(service);
    const { clients } = counted;
    for (const client of clients) client.begin();
    t.after(() => Promise.allSettled(clients.map((client) => client.end())));
    await counted.more(5);
    return counted;
  }

  /** Waits until every client was acknowledged so many numbers more. */
  async more(count: number): Promise<void> {
    for (const client of this.clients) await client.more(count);
  }

  /** How often a client has had to connect again. */
  get broken(): number {
    return this.clients.reduce((sum, client) => sum + client.broken, 0);
  }

  /** The clients go on over the connections that they had; then they end. */
  async nobodyWasLost(): Promise<void> {
    await this.more(5);
    for (const client of this.clients) {
      await client.end();
      assert.equal(
        client.broken,
        0,
        `${client.name} had to connect again:\n${this.service.supervisor.stderr}`,
      );
    }
  }

  /** The clients end; each of their acknowledged numbers was taken, and once. */
  async nothingWasLost(): Promise<void> {
    for (const client of this.clients) {
      await client.end();
      const { body } = await this.service.connectAgain(`/count?client=${client.name}`);
      assert.equal(body.last, client.acknowledged, `${client.name}: an acknowledged number was lost`);
      assert.equal(body.taken, client.acknowledged, `${client.name}: a number was taken twice`);
    }
  }
}
