import { closeSync, readFileSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { isKstateError } from "../error/index.ts";
import { loadKernel, openDax, rebootInto, unloadKernel } from "../memory/index.ts";
import { createOwn, openFollowed } from "../system/index.ts";
import { luoSystem } from "./luo-system.ts";

/** The kernel that a kexec starts. */
export interface NextKernel {
  readonly kernel: string;
  /** Null: none. */
  readonly initrd: string | null;
  readonly commandLine: string;
}

/** What a kexec needs of the machine, so that a test can stand in for it. */
export interface KexecSystem {
  /** The content of a file of `/proc` or `/sys`; undefined when there is none, or it cannot be read. */
  read(path: string): string | undefined;
  /** Why a file cannot be read; undefined when it can. */
  unreadable(path: string): string | undefined;
  /** Why a LUO session of that name cannot be made now; undefined when it can. Nothing stays of the attempt. */
  sessionProblem(name: string): string | undefined;
  /** Why a file cannot be kept in a directory as DAX; undefined when it can. */
  daxProblem(directory: string): string | undefined;
  freeBytes(directory: string): number;
  load(next: NextKernel): void;
  unload(): void;
  /** Does not return when it works. */
  reboot(): void;
}

export const kexecSystem: KexecSystem = {
  read: (path) => {
    try {
      return readFileSync(path, "utf8");
    } catch {
      return undefined;
    }
  },
  unreadable: (path) => problemOf(() => closeSync(openFollowed(path))),
  sessionProblem: (name) =>
    problemOf(() => {
      const device = luoSystem.open();
      try {
        luoSystem.close(luoSystem.createSession(device, name));
      } finally {
        luoSystem.close(device);
      }
    }),
  daxProblem: (directory) =>
    problemOf(() => {
      const probe = join(directory, `.kstate-probe-${process.pid}`);
      try {
        createOwn(probe, Buffer.alloc(4096));
        openDax(probe, 4096).close();
      } catch (error) {
        if (!isKstateError(error, "DAX_UNSUPPORTED")) throw error;
        throw new Error(`the file system of ${directory} is not mounted with dax`);
      } finally {
        rmSync(probe, { force: true });
      }
    }),
  freeBytes: (directory) => {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  },
  load: ({ kernel, initrd, commandLine }) => {
    const files = [kernel, ...(initrd === null ? [] : [initrd])].map(openFollowed);
    try {
      loadKernel(files[0]!, files[1] ?? null, commandLine);
    } finally {
      for (const file of files) closeSync(file);
    }
  },
  unload: unloadKernel,
  reboot: rebootInto,
};

function problemOf(step: () => void): string | undefined {
  try {
    step();
    return undefined;
  } catch (error) {
    return isKstateError(error) || error instanceof Error ? error.message : String(error);
  }
}
