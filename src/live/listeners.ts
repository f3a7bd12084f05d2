import { once } from "node:events";
import { Server as HttpServer } from "node:http";
import type { ListenOptions as NodeListenOptions } from "node:net";
import { Server as NetServer } from "node:net";
import { isKstateError, KstateError } from "../error/index.ts";
import { isUnixBound, listenUnix } from "../memory/index.ts";
import { identityOf, removeDeadSocket, removeSocket } from "../system/index.ts";
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

/** As Node's. */
const BACKLOG = 511;

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

  /**
   * Makes every server accept and every UDP socket receive: on the descriptor of its key where there is one, otherwise on its
   * address. With a descriptor all that the system does for it is done, or has thrown `LISTEN_FAILED`, when the call
   * returns; nothing is accepted or received before the next turn of the event loop.
   */
  open(descriptors: ReadonlyMap<string, number>): Promise<void> {
    const listening: Promise<void>[] = [];
    for (const [key, { address, connections }] of this.#listeners)
      listening.push(listen(key, connections.server, address, descriptors.get(key)));
    for (const [key, datagrams] of this.#datagrams) listening.push(datagrams.open(descriptors.get(key)));
    return Promise.all(listening).then(() => {});
  }

  /** Undoes {@link open}. */
  close(): void {
    for (const { connections } of this.#listeners.values()) connections.server.close();
    for (const datagrams of this.#datagrams.values()) datagrams.close();
  }
}

function listen(
  key: string,
  server: NetServer,
  address: Listener["address"],
  descriptor: number | undefined,
): Promise<void> {
  if (descriptor === undefined) {
    if (address.kind === "unix") return listenAtPath(key, server, address.path);
    return listenByNode(server, nodeOptions(address));
  }
  const listening = listenByNode(server, { fd: descriptor });
  if ((server as { _handle?: unknown })._handle != null) return listening;
  listening.catch(() => {}); // it says why, later
  const why = "Node could not listen on its descriptor; a sandbox or a limit of the system may be in the way";
  throw new KstateError("LISTEN_FAILED", `cannot listen on ${key}: ${why}`, { key, errno: "?" });
}

/** A server of nobody's version but this one binds its path itself. What stands there and is not its own stays. */
async function listenAtPath(key: string, server: NetServer, path: string): Promise<void> {
  const isByName = path.startsWith("@") || path.startsWith("\0"); // nothing stands anywhere
  if (isByName || process.platform !== "linux") return listenByNode(server, { path });
  try {
    await removeDeadSocket(path, isUnixBound); // false: binding says so
    const descriptor = listenUnix(path, BACKLOG);
    removeAtEnd(server, path);
    (server as { _pipeName?: string })._pipeName = path; // what address() says of a socket that Node has not bound
    return listenByNode(server, { fd: descriptor });
  } catch (cause) {
    if (isKstateError(cause, "PLATFORM_UNSUPPORTED")) return listenByNode(server, { path });
    if (!isKstateError(cause)) throw cause;
    const errno = isKstateError(cause, "SYSTEM_CALL") ? cause.detail.errno : "EADDRINUSE";
    throw new KstateError(
      "LISTEN_FAILED",
      `cannot listen on ${key}: ${cause.message}`,
      { key, errno },
      { cause },
    );
  }
}

async function listenByNode(
  server: NetServer,
  options: NodeListenOptions & { readonly fd?: number },
): Promise<void> {
  const listening = once(server, "listening");
  server.listen(options);
  await listening;
}

/** Node would remove whatever stands at a path by then. */
function removeAtEnd(server: NetServer, path: string): void {
  const identity = identityOf(path);
  if (identity === null) return;
  const remove = (): void => removeSocket(path, identity);
  process.once("exit", remove);
  server.once("close", () => {
    process.off("exit", remove);
    remove();
  });
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

function nodeOptions(address: Extract<ListenAddress, { kind: "tcp" }>): NodeListenOptions {
  return address.host === null ? { port: address.port } : { port: address.port, host: address.host };
}
