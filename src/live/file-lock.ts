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

/** A file that this process has locked. */
export interface FileLock {
  /** Lets another process have it. */
  release(): void;
}

/**
 * Locks a file for this process, until it is released or the process ends, however it does. Null when another process
 * has it. The file holds the pid of the one that has it; it is never removed, or two could lock two files of one name.
 */
export async function holdLock(path: string): Promise<FileLock | null> {
  try {
    return lockNow(path);
  } catch (error) {
    if (!isKstateError(error, "PLATFORM_UNSUPPORTED")) throw error;
    return listenFor(path);
  }
}

/** The same, at once. `PLATFORM_UNSUPPORTED` where a lock takes a while. */
export function lockNow(path: string): FileLock | null {
  const openLocked = OPEN_LOCKED[process.platform];
  let fd: number;
  try {
    fd = openOwn(path, "keep", openLocked);
  } catch (error) {
    const isLocked = ["EAGAIN", "EWOULDBLOCK", "EBUSY"].includes((error as NodeJS.ErrnoException).code ?? "");
    if (openLocked !== undefined && isLocked) return null;
    throw error;
  }
  try {
    if (openLocked !== undefined || lockFile(fd)) return held(fd, () => {});
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  closeSync(fd);
  return null;
}

function held(fd: number, unlock: () => void): FileLock {
  ftruncateSync(fd);
  writeSync(fd, `${process.pid}\n`, 0);
  return {
    release: () => {
      closeSync(fd);
      unlock();
    },
  };
}

/** The pid in a lock file; null when it cannot be read. */
export function lockHolder(path: string): number | null {
  try {
    return Number.parseInt(readOwn(path).toString(), 10) || null;
  } catch {
    return null;
  }
}

/** Where nothing can lock: a UNIX socket named after the file, that one process of the network namespace can bind. */
async function listenFor(path: string): Promise<FileLock | null> {
  const fd = openOwn(path, "keep");
  const { dev, ino } = fstatSync(fd);
  const server = createServer().unref();
  server.listen(`\0kstate-lock-${dev}-${ino}`);
  try {
    await once(server, "listening");
    return held(fd, () => server.close());
  } catch (error) {
    closeSync(fd);
    if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") return null;
    throw error;
  }
}
