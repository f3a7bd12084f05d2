import { once } from "node:events";
import { Server as HttpServer } from "node:http";
import type { ListenOptions as NodeListenOptions } from "node:net";
import { Server as NetServer } from "node:net";
import { KstateError } from "../error/index.ts";
import type { ListenAddress } from "./protocol.ts";
import type { ServerConnections } from "./sockets/connections.ts";
import { Datagrams, isUnboundDatagramSocket } from "./sockets/datagrams.ts";
import type { Detached } from "./sockets/detached.ts";
import { HttpConnections } from "./sockets/http-connections.ts";
import { Http2Sessions, isHttp2Server } from "./sockets/http2-sessions.ts";
import { PlainServer } from "./sockets/plain-server.ts";

/** Where a server listens: a TCP port, or the path of a UNIX socket. */
export interface ListenOptions {
  /** 0 lets the system choose once; the next versions get the same one. Either this or `path`. */
  readonly port?: number;
  /** All addresses unless given. */
  readonly host?: string;
  readonly path?: string;
  /** Tells several listeners on port 0 apart, and keeps a listener when its address is written differently. */
  readonly name?: string;
}

/** Where a UDP socket is bound. */
export type BindOptions = Pick<ListenOptions, "host" | "name"> & { readonly port: number };

interface Listener {
  readonly address: Exclude<ListenAddress, { kind: "udp" }>;
  readonly connections: ServerConnections;
}

/** The servers of a program, by a key that stays the same from version to version. */
export class Listeners {
  readonly #listeners = new Map<string, Listener>();
  readonly #datagrams = new Map<string, Datagrams>();
  readonly #detached: Detached;

  constructor(detached: Detached) {
    this.#detached = detached;
  }

  /** Takes a server in; it listens with `open`. */
  add(server: NetServer, options: ListenOptions): void {
    assertMovable(server);
    const address = addressOf(options);
    const key =
      options.name ??
      (address.kind === "unix" ? `unix:${address.path}` : `tcp:${address.host ?? "*"}:${address.port}`);
    this.#assertNew(key);
    const connections = connectionsOf(key, server, this.#detached);
    this.#listeners.set(key, { address, connections });
  }

  /** Takes a UDP socket in; it is bound with `open`. */
  addDatagrams(socket: unknown, { port, host, name }: BindOptions): void {
    if (!isUnboundDatagramSocket(socket)) {
      const reason = "this is not an unbound socket of node:dgram; pass what createSocket() made";
      throw new KstateError("SERVER_UNSUPPORTED", `cannot bind this socket: ${reason}`, { reason });
    }
    const address = {
      kind: "udp",
      family: socket.type === "udp6" ? 6 : 4,
      host: host ?? null,
      port: portOf(port),
    } as const;
    const key = name ?? `udp:${host ?? "*"}:${port}`;
    this.#assertNew(key);
    this.#datagrams.set(key, new Datagrams(key, socket, address));
  }

  #assertNew(key: string): void {
    if (!this.#listeners.has(key) && !this.#datagrams.has(key)) return;
    throw new KstateError("LISTEN_FAILED", `cannot listen on ${key} twice; give one of them another name`, {
      key,
      errno: "EADDRINUSE",
    });
  }

  addresses(): { key: string; address: ListenAddress }[] {
    return [...this.#listeners, ...this.#datagrams].map(([key, { address }]) => ({ key, address }));
  }

  get servers(): ServerConnections[] {
    return [...this.#listeners.values()].map(({ connections }) => connections);
  }

  get datagrams(): Datagrams[] {
    return [...this.#datagrams.values()];
  }

  /** Makes every server accept and every UDP socket receive: on the descriptor of its key where there is one, otherwise on its address. */
  async open(descriptors: ReadonlyMap<string, number>): Promise<void> {
    const opened = [...this.#listeners].map(async ([key, { address, connections }]) => {
      const descriptor = descriptors.get(key);
      connections.server.listen(descriptor === undefined ? nodeOptions(address) : { fd: descriptor });
      await once(connections.server, "listening");
    });
    const bound = [...this.#datagrams].map(([key, datagrams]) => datagrams.open(descriptors.get(key)));
    await Promise.all([...opened, ...bound]);
  }
}

function connectionsOf(key: string, server: NetServer, detached: Detached): ServerConnections {
  if (server instanceof HttpServer) return new HttpConnections(key, server, detached);
  if (isHttp2Server(server)) return new Http2Sessions(key, server, detached);
  return new PlainServer(key, server, detached);
}

function assertMovable(server: unknown): void {
  const secure = (server as { setSecureContext?: unknown } | null)?.setSecureContext !== undefined;
  if (server instanceof NetServer && !secure) return;
  const reason = secure
    ? "TLS connections cannot move to another process; terminate TLS in front of the program (nginx, HAProxy, Caddy, stunnel) and give it a plain server of node:http or node:net"
    : "only servers of node:http and node:net can be handed over; pass the one that createServer() made (in Fastify `app.server`)";
  throw new KstateError("SERVER_UNSUPPORTED", `cannot listen for this server: ${reason}`, { reason });
}

function addressOf({ port, host, path }: ListenOptions): Exclude<ListenAddress, { kind: "udp" }> {
  if (path !== undefined && port === undefined) return { kind: "unix", path };
  if (path === undefined) return { kind: "tcp", host: host ?? null, port: portOf(port) };
  throw addressError();
}

function portOf(port: number | undefined): number {
  if (Number.isInteger(port) && port! >= 0 && port! <= 0xffff) return port!;
  throw addressError();
}

function addressError(): KstateError {
  return new KstateError(
    "SERVER_UNSUPPORTED",
    "cannot listen: give either a port from 0 to 65535 or a path",
    {
      reason: "address",
    },
  );
}

function nodeOptions(address: Exclude<ListenAddress, { kind: "udp" }>): NodeListenOptions {
  if (address.kind === "unix") return { path: address.path };
  return address.host === null ? { port: address.port } : { port: address.port, host: address.host };
}
