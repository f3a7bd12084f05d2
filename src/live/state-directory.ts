/**
 * CONTRACT: where a program without a supervisor keeps its state between two runs: `$KSTATE_DIR/NAME` or `./.kstate/NAME`.
 *
 * ```
 * lock             locked while a program runs; its pid
 * state            saved at the end of the last run: an image (`carrier/format.ts`) of a memory with a checkpoint
 * state.loaded     the same, once it has been loaded: what happened since is not in it
 * checkpoint       saved while the program runs, for a crash
 * *.tmp            not finished
 * ```
 *
 *  1. start: lock; `state` is read, or else `checkpoint`      it stays as it is until 2
 *  2. loaded: `checkpoint` is removed, `state` → `state.loaded`; a checkpoint stays if there will be another
 *  3. running: `checkpoint` is replaced, again and again
 *  4. end: `state` is written and put in place, then `state.loaded` and `checkpoint` are removed
 *
 * A crash after 2 leaves a checkpoint, which is loaded, or only `state.loaded`, which is `STALE`. Every file is written
 * under another name, synced, and renamed: a crash at any moment leaves the one before or the one after. Between the
 * two steps of 4 both are there: `state` is the newer one, and 2 removes the checkpoint first.
 *
 * The directory and every file in it belong to the user of the program or to root, nobody else may write them, and none is
 * a symbolic link: `FILE_UNTRUSTED` otherwise, before anything is read or changed. The directory around it may be
 * shared; if everybody may write to that, it is sticky.
 */
import {
  closeSync,
  existsSync,
  fsync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  unlinkSync,
  write,
  writeSync,
} from "node:fs";
import { rename } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { descriptorSource, Image, ImageReader, inOneTurn } from "../carrier/index.ts";
import { isKstateError, KstateError } from "../error/index.ts";
import type { BackEnd, PhysicalMemory } from "../memory/index.ts";
import { assertOwnDirectory, createOwn, makeOwnDirectory, openOwn } from "../system/index.ts";
import { holdLock, lockHolder } from "./file-lock.ts";

/**
 * What a program does that finds only a state that was loaded before: refuse to start with `STALE`, begin with an
 * empty state, or load that one again.
 */
export type AfterCrash = "refuse" | "boot" | "reload";

/** What was found in the directory. */
export interface FoundState {
  readonly kind: "state" | "checkpoint" | "stale";
  readonly memory: PhysicalMemory;
}

type CreateBackEnd = (capacity: number) => BackEnd;
type FileName = "lock" | "state" | "state.loaded" | "checkpoint";

/** The files of one program; it has them alone. */
export class StateDirectory {
  readonly #name: string;
  readonly #path: string;

  private constructor(name: string, path: string) {
    this.#name = name;
    this.#path = path;
  }

  /** Makes the directory if it is not there, and locks it. `STATE_LOCKED`, `NAME_INVALID`, `STATE_FILE_FAILED`, `FILE_UNTRUSTED`. */
  static async open(name: string, root = process.env.KSTATE_DIR || ".kstate"): Promise<StateDirectory> {
    if (!/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(name)) {
      const problem = "use letters, digits, dots, dashes and underscores";
      const message = `cannot use the name ${JSON.stringify(name)}: ${problem}`;
      throw new KstateError("NAME_INVALID", message, { name, problem });
    }
    const directory = new StateDirectory(name, join(resolve(root), name));
    const lock = directory.#file("lock");
    const locked = await filing("lock", lock, () => {
      makeOwnDirectory(directory.#path);
      assertOwnDirectory(dirname(directory.#path), { shared: true });
      keepOutOfGit(dirname(directory.#path));
      return holdLock(lock);
    });
    if (!locked) throw directory.#locked();
    return directory;
  }

  #locked(): KstateError {
    const pid = lockHolder(this.#file("lock"));
    const who = pid === null ? "another program" : `process ${pid}`;
    return new KstateError(
      "STATE_LOCKED",
      `cannot start ${this.#name}: ${who} runs with the state in ${this.#path}; end it, or start this one with ` +
        "another name or KSTATE_DIR",
      { name: this.#name, directory: this.#path, pid },
    );
  }

  #file(name: FileName): string {
    return join(this.#path, name);
  }

  /** Reads what the last run left; undefined when there is nothing. `STALE`, `IMAGE_INVALID`, `STATE_FILE_FAILED`. */
  load(afterCrash: AfterCrash, createBackEnd: CreateBackEnd): FoundState | undefined {
    for (const kind of ["state", "checkpoint"] as const) {
      const path = this.#file(kind);
      if (existsSync(path)) return { kind, memory: read(path, createBackEnd) };
    }
    const path = this.#file("state.loaded");
    if (!existsSync(path) || afterCrash === "boot") return undefined;
    if (afterCrash === "reload") return { kind: "stale", memory: read(path, createBackEnd) };
    throw new KstateError(
      "STALE",
      `cannot start ${this.#name}: ${path} was loaded before, and the program that did ended without saving, so what ` +
        'happened since is lost. Start with KSTATE_AFTER_CRASH=boot (or afterCrash: "boot") to begin empty, or ' +
        "with reload to load that old state again; with checkpoints a crash loses less",
      { carrier: `file:${path}`, problem: "it was loaded before" },
    );
  }

  /** Says that what was found has been loaded: it is not loaded again as if nothing had happened since. */
  consume(kind: FoundState["kind"], keepCheckpoint: boolean): void {
    if (kind === "stale" || (kind === "checkpoint" && keepCheckpoint)) return;
    const path = this.#file(kind);
    filing("rename", path, () => {
      if (kind === "state") rmSync(this.#file("checkpoint"), { force: true });
      renameSync(path, this.#file("state.loaded"));
      this.#sync();
    });
  }

  /** Writes the state at the end of a run, at once. */
  save(memory: PhysicalMemory): void {
    const path = this.#file("state");
    filing("write", path, () => {
      const fd = createTemporary(path);
      try {
        for (const part of this.#image(memory)) writeFully(fd, part);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      renameSync(`${path}.tmp`, path);
      this.#sync();
      for (const left of ["state.loaded", "checkpoint"] as const) rmSync(this.#file(left), { force: true });
    });
  }

  /** Removes all that is kept: the state is somewhere else now. */
  forget(): void {
    for (const left of ["state", "state.loaded", "checkpoint"] as const)
      rmSync(this.#file(left), { force: true });
    this.#sync();
  }

  /** Writes a checkpoint beside the running program: what the memory holds at the call. */
  async saveCheckpoint(memory: PhysicalMemory): Promise<void> {
    const image = Array.from(this.#image(memory), (part) => part.slice());
    const path = this.#file("checkpoint");
    await filing("write", path, async () => {
      const fd = createTemporary(path);
      try {
        for (const part of image) await writePart(fd, part);
        await syncFile(fd);
      } finally {
        closeSync(fd);
      }
      await rename(`${path}.tmp`, path);
      this.#sync();
    });
  }

  /** Every piece has its checksum; a digest of all would take longer than everything else. */
  #image(memory: PhysicalMemory): Iterable<Uint8Array> {
    const { generation } = memory.superblock();
    return inOneTurn(Image.take(memory, { service: this.#name, generation }, "none")).bytes();
  }

  /** A rename lasts over a power failure once the directory has been synced; Windows does not open directories. */
  #sync(): void {
    if (process.platform === "win32") return;
    const fd = openSync(this.#path, "r");
    fsyncSync(fd);
    closeSync(fd);
  }
}

function read(path: string, createBackEnd: CreateBackEnd): PhysicalMemory {
  return filing("read", path, () => {
    const fd = openOwn(path, "read");
    try {
      const image = new ImageReader(descriptorSource(path, fd));
      const memory = image.restore(createBackEnd(image.record.capacity));
      memory.own();
      return memory;
    } finally {
      closeSync(fd);
    }
  });
}

/** A new file, beside the one whose place it will take; what a run that was killed has left there goes. */
function createTemporary(path: string): number {
  try {
    unlinkSync(`${path}.tmp`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  return openOwn(`${path}.tmp`, "create");
}

const syncFile = promisify(fsync);
const writeSome = promisify(write);

async function writePart(fd: number, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await writeSome(fd, bytes, at)).bytesWritten;
}

function writeFully(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

/** State is not source: it is not to be committed by accident. */
function keepOutOfGit(root: string): void {
  try {
    createOwn(join(root, ".gitignore"), "*\n");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST" && !isKstateError(error)) throw error;
  }
}

/** Does something with a file; an error of the system says which file, and what was tried. */
function filing<T>(what: string, path: string, action: () => T): T {
  const failed = (cause: unknown): unknown => {
    const { code: errno, message } = cause as NodeJS.ErrnoException;
    if (errno === undefined || cause instanceof KstateError) return cause;
    const text = `cannot ${what} ${path}: ${message}; the state that was saved before is as it was`;
    return new KstateError("STATE_FILE_FAILED", text, { path, errno }, { cause });
  };
  try {
    const result = action();
    if (!(result instanceof Promise)) return result;
    return result.catch((error) => {
      throw failed(error);
    }) as T;
  } catch (error) {
    throw failed(error);
  }
}
