import { isKstateError } from "../../error/index.ts";
import { AF, bindSocket, closeDescriptor, connectSocket, createSocket, listenSocket } from "./libc.ts";

/** A `sockaddr_un` of a path; one that begins with `@` is an abstract name. */
export function unixAddress(path: string): Uint8Array {
  const bytes = Buffer.from(path);
  if (path.startsWith("@")) {
    bytes[0] = 0;
    return Buffer.concat([Uint8Array.of(AF.unix, 0), bytes]);
  }
  const address = Buffer.alloc(2 + bytes.length + 1);
  address.writeUInt16LE(AF.unix, 0);
  address.set(bytes, 2);
  return address;
}

/** A stream socket that listens at a path where nothing is yet. */
export function listenUnix(path: string, backlog: number): number {
  const descriptor = createSocket(AF.unix);
  try {
    bindSocket(descriptor, unixAddress(path));
    listenSocket(descriptor, backlog);
    return descriptor;
  } catch (error) {
    closeDescriptor(descriptor);
    throw error;
  }
}

/**
 * Whether some process has a stream socket bound at a path, which is told nothing: a socket of another type is never
 * connected to it, and the kernel says why. Whoever cannot be asked is there.
 */
export function isUnixBound(path: string): boolean {
  const probe = createSocket(AF.unix, "datagram");
  try {
    connectSocket(probe, unixAddress(path));
    return true;
  } catch (error) {
    const errno = isKstateError(error, "SYSTEM_CALL") ? error.detail.errno : "";
    return errno !== "ECONNREFUSED" && errno !== "ENOENT";
  } finally {
    closeDescriptor(probe);
  }
}
