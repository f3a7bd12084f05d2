import { closeSync } from "node:fs";
import { isKstateError, KstateError } from "../error/index.ts";
import type { BackEnd } from "./back-end.ts";
import { isDirectAccess, mapFile, type Sharing } from "./ffi/libc.ts";
import { FileBackEnd, openSized } from "./file-back-end.ts";
import { PAGE_SIZE } from "./layout.ts";

/** How {@link openDax} opens a file. */
export interface DaxOptions {
  /**
   * Takes a file that is not on DAX as well: its pages are in the page cache, and only `persist` brings them to the
   * medium. For tests, and to try a set-up without persistent memory. False unless given.
   */
  readonly relaxed?: boolean;
}

/**
 * A file of `capacity` bytes in a file system that is mounted with `dax` on persistent memory, made if it is not
 * there: stores go straight to the medium, no page is copied, and what is there outlasts a reboot and a kexec. Where
 * the device can, the file is mapped with `MAP_SYNC`; what was stored is flushed by `persist` either way. `DAX_UNSUPPORTED`
 * when the file is not on DAX.
 */
export function openDax(path: string, capacity: number, { relaxed = false }: DaxOptions = {}): BackEnd {
  const descriptor = openSized(path, capacity);
  try {
    const isDax = isDirectAccess(descriptor);
    const sharing = sharingOf(descriptor);
    if (!isDax && sharing === "shared" && !relaxed) throw notDax(path);
    const isMemory = !isDax && sharing === "shared";
    return new FileBackEnd(`DAX file ${path}`, descriptor, { persists: true, sharing, isMemory });
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** Whether the kernel takes a synchronous mapping; one page of it stays, as every mapping does. */
function sharingOf(descriptor: number): Sharing {
  try {
    mapFile(descriptor, 0, PAGE_SIZE, false, "synchronous");
    return "synchronous";
  } catch (error) {
    if (isKstateError(error, "SYSTEM_CALL")) return "shared";
    throw error;
  }
}

function notDax(path: string): KstateError {
  return new KstateError(
    "DAX_UNSUPPORTED",
    `cannot use ${path} as DAX memory: its file system is not mounted with dax on persistent memory; ` +
      "mount it so (mount -o dax /dev/pmem0 …), or say that an ordinary file will do (relaxed)",
    { path },
  );
}
