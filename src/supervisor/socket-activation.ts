import type { ListenAddress } from "../live/protocol.ts";
import { setCloseOnExec } from "../memory/index.ts";
import { MEMORY_NAME } from "./descriptor-store.ts";

/** A listening socket that systemd has bound for the service. */
export interface ActivatedSocket {
  readonly descriptor: number;
  /** `FileDescriptorName=`, else the name of the socket unit. */
  readonly name: string;
}

const FIRST_DESCRIPTOR = 3;

/**
 * The listening sockets that the service manager hands over (`sd_listen_fds(3)`), and takes its variables out of the
 * environment: they are not meant for the programs.
 */
export function activatedSockets(environment: NodeJS.ProcessEnv, pid: number): ActivatedSocket[] {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES = "" } = environment;
  for (const name of ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]) delete environment[name];
  const count = Number(LISTEN_FDS);
  if (Number(LISTEN_PID) !== pid || !Number.isInteger(count)) return [];
  const names = LISTEN_FDNAMES.split(":");
  const all = Array.from({ length: count }, (_, index) => {
    const descriptor = FIRST_DESCRIPTOR + index;
    setCloseOnExec(descriptor);
    return { descriptor, name: names[index] ?? "" };
  });
  return all.filter(({ name }) => name !== MEMORY_NAME); // no socket, but what the store has kept
}

/** Whether a socket, bound to `text`, is what a program wants to listen on: by its name, or by its address. */
export function fits({ name }: ActivatedSocket, text: string, key: string, address: ListenAddress): boolean {
  if (name === key) return true;
  if (address.kind === "unix") return text === address.path;
  const { host, port } = address;
  if (port === 0) return false;
  const hosts = host === null ? ["[::]", "0.0.0.0"] : [host, `[${host}]`];
  return hosts.some((each) => text === `${each}:${port}`);
}
