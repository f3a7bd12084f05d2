import { once } from "node:events";
import { closeSync, constants, fstatSync, ftruncateSync, writeSync } from "node:fs";
import { createServer } from "node:net";
import { isKstateError } from "../error/index.ts";
import { lockFile } from "../memory/index.ts";
import { openOwn, readOwn } from "../system/index.ts";

/** The flag by which open() also locks, on systems that have it; libuv gives Windows one of its own. */
const OPEN_LOCKED: Partial<Record<NodeJS.Platform, number>> = {
  darwin: 0x20 | constants.O_NONBLOCK,
  freebsd: 0x20 | constants.O_NONBLOCK,
  win32: 0x10000000,
};

/**
 * Locks a file for this process, as long as it lives; whatever ends it ends the lock. False when another process has
 * it. The file holds the pid of the one that has it; it is never removed, or two could lock two files of one name.
 */
export async function holdLock(path: string): Promise<boolean> {
  const openLocked = OPEN_LOCKED[process.platform];
  let fd: number;
  try {
    fd = openOwn(path, "keep", openLocked);
  } catch (error) {
    const isLocked = ["EAGAIN", "EWOULDBLOCK", "EBUSY"].includes((error as NodeJS.ErrnoException).code ?? "");
    if (openLocked !== undefined && isLocked) return false;
    throw error;
  }
  if (openLocked === undefined && !(await lock(fd))) {
    closeSync(fd);
    return false;
  }
  ftruncateSync(fd);
  writeSync(fd, `${process.pid}\n`, 0);
  return true; // and the descriptor stays open
}

/** The pid in a lock file; null when it cannot be read. */
export function lockHolder(path: string): number | null {
  try {
    return Number.parseInt(readOwn(path).toString(), 10) || null;
  } catch {
    return null;
  }
}

async function lock(fd: number): Promise<boolean> {
  try {
    return lockFile(fd);
  } catch (error) {
    if (!isKstateError(error, "PLATFORM_UNSUPPORTED")) throw error;
    return listenFor(fd);
  }
}

/** Where nothing can lock: a UNIX socket named after the file, that one process of the network namespace can bind. */
async function listenFor(fd: number): Promise<boolean> {
  const { dev, ino } = fstatSync(fd);
  const server = createServer().unref();
  server.listen(`\0kstate-lock-${dev}-${ino}`);
  try {
    await once(server, "listening");
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") return false;
    throw error;
  }
}
