/**
 * CONTRACT: where a program keeps its state between two runs: `$KSTATE_DIR/NAME` or `./.kstate/NAME`. The program itself
 * does, with a supervisor and without; NAME is that of `joinLiveUpdate`, or the service's if `kstate run` was given one.
 *
 * ```
 * lock             locked while a program runs; its pid
 * state            saved at the end of the last run: an image (`carrier/format.ts`) of a memory with a checkpoint
 * state.loaded     the same, once it has been loaded: what happened since is not in it
 * checkpoint       saved while the program runs, for a crash
 * state.partial    saved at the end of the last run, which could not save all: an image without what was refused
 * state.refused    that it could not, as JSON: `at` (a date), `error` (code, message, detail), `left` (instances)
 * *.tmp            not finished
 * ```
 *
 *  1. start: lock; `state` is read, or else `checkpoint`      it stays as it is until 2
 *  2. loaded: `checkpoint` is removed, `state` → `state.loaded`; a checkpoint stays if there will be another
 *  3. running: `checkpoint` is replaced, again and again
 *  4. end: `state` is written and put in place, then all others are removed
 *     or something is refused: `state.partial` and `state.refused` are written, all others stay
 *
 * A crash after 2 leaves a checkpoint, which is loaded, or only `state.loaded`, which is `STALE`. Every file is written
 * under another name, synced, and renamed: a crash at any moment leaves the one before or the one after. Between the
 * two steps of 4 both are there: `state` is the newer one, and 2 removes the checkpoint first. After a refused end
 * `state.refused` is `STATE_REFUSED` until somebody has chosen; then 2 removes it.
 *
 * Under a supervisor a successor locks when the program before it has let go, after the commit, and 1 and 2 are of
 * the service's first program only: one that is started again after a crash begins with the service's memory.
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
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import { descriptorSource, Image, ImageReader, inOneTurn } from "../carrier/index.ts";
import { isKstateError, KstateError } from "../error/index.ts";
import type { BackEnd, PhysicalMemory } from "../memory/index.ts";
import { assertOwnDirectory, createOwn, makeOwnDirectory, openOwn } from "../system/index.ts";
import { type FileLock, holdLock, lockHolder, lockNow } from "./file-lock.ts";
import { type Refusal, readRefusal, refusedError } from "./refusal.ts";

/** See {@link AfterCrash}. */
export const AFTER_CRASH = ["refuse", "boot", "reload", "partial"] as const;

/**
 * What a program does that finds no state of a good end: refuse to start, with `STALE` or `STATE_REFUSED`; begin with an
 * empty state; load the last whole one again; or load what could be saved of one that was refused.
 */
export type AfterCrash = (typeof AFTER_CRASH)[number];

/** What was found in the directory. */
export interface FoundState {
  readonly kind: "state" | "checkpoint" | "stale" | "partial";
  readonly memory: PhysicalMemory;
}

type CreateBackEnd = (capacity: number) => BackEnd;
type FileName = "lock" | "state" | "state.loaded" | "state.partial" | "state.refused" | "checkpoint";

/** Of whole states, the newest first. */
const WHOLE = ["state", "checkpoint", "state.loaded"] as const;

/** What a run may have left. */
const LEFT = [...WHOLE, "state.partial", "state.refused"] as const;

/** How often a successor looks whether the program before it has let go, ms. */
const LOOK_MS = 100;

/** The files of one program; it has them alone. */
export class StateDirectory {
  readonly #name: string;
  readonly #path: string;
  #lock: FileLock | null = null;

  private constructor(name: string, path: string) {
    this.#name = name;
    this.#path = path;
  }

  /** Makes the directory if it is not there, and locks it. `STATE_LOCKED`, `NAME_INVALID`, `STATE_FILE_FAILED`, `FILE_UNTRUSTED`. */
  static async open(name: string, root?: string): Promise<StateDirectory> {
    const directory = StateDirectory.#make(name, root);
    const lock = directory.#file("lock");
    directory.#lock = await filing("lock", lock, () => holdLock(lock));
    if (directory.#lock === null) throw directory.#locked();
    return directory;
  }

  /** For a successor, which has it from {@link succeed} on. `NAME_INVALID`, `STATE_FILE_FAILED`, `FILE_UNTRUSTED`. */
  static next(name: string, root?: string): StateDirectory {
    return StateDirectory.#make(name, root);
  }

  static #make(name: string, root = process.env.KSTATE_DIR || ".kstate"): StateDirectory {
    if (!/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(name)) {
      const problem = "use letters, digits, dots, dashes and underscores";
      const message = `cannot use the name ${JSON.stringify(name)}: ${problem}`;
      throw new KstateError("NAME_INVALID", message, { name, problem });
    }
    const directory = new StateDirectory(name, join(resolve(root), name));
    filing("make", directory.#path, () => {
      makeOwnDirectory(directory.#path);
      assertOwnDirectory(dirname(directory.#path), { shared: true });
      keepOutOfGit(dirname(directory.#path));
    });
    return directory;
  }

  /** Locks it as soon as the program before has let go, which does not keep this one alive. Errors are told. */
  async succeed(failed: (error: unknown) => void): Promise<void> {
    try {
      while (!this.#lockNow()) await setTimeout(LOOK_MS, undefined, { ref: false });
    } catch (error) {
      failed(error);
    }
  }

  #lockNow(): boolean {
    const lock = this.#file("lock");
    this.#lock ??= filing("lock", lock, () => lockNow(lock));
    return this.#lock !== null;
  }

  /** Lets another program have it: nothing is written here from now on. */
  release(): void {
    this.#lock?.release();
    this.#lock = null;
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

  /**
   * Reads what the last run left; undefined when there is nothing. `STALE`, `STATE_REFUSED`, `IMAGE_INVALID`,
   * `STATE_FILE_FAILED`.
   */
  load(afterCrash: AfterCrash, createBackEnd: CreateBackEnd): FoundState | undefined {
    const isRefused = existsSync(this.#file("state.refused"));
    if (isRefused && afterCrash === "refuse") throw this.#refused();
    if (isRefused && afterCrash === "boot") return undefined;
    if (isRefused && afterCrash === "partial" && existsSync(this.#file("state.partial")))
      return { kind: "partial", memory: read(this.#file("state.partial"), createBackEnd) };
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

  #refused(): KstateError {
    const refusal = readRefusal(this.#file("state.refused"));
    const isWholeThere = WHOLE.some((name) => existsSync(this.#file(name)));
    return refusedError(refusal, { name: this.#name, directory: this.#path, isWholeThere });
  }

  /**
   * Says what has been loaded, or with undefined that nothing that is here was wanted: it is not loaded again as if
   * nothing had happened since.
   */
  consume(found: FoundState["kind"] | undefined, keepCheckpoint: boolean): void {
    const path = this.#file("state.loaded");
    filing("rename", path, () => {
      const source = this.#consumed(found, keepCheckpoint);
      if (source === "state") rmSync(this.#file("checkpoint"), { force: true });
      if (source !== undefined) renameSync(this.#file(source), path);
      rmSync(this.#file("state.refused"), { force: true });
      this.#sync();
    });
  }

  /** The file that becomes `state.loaded`. */
  #consumed(found: FoundState["kind"] | undefined, keepCheckpoint: boolean): FileName | undefined {
    if (found === undefined)
      return (["state", "checkpoint"] as const).find((name) => existsSync(this.#file(name)));
    if (found === "stale" || (found === "checkpoint" && keepCheckpoint)) return undefined;
    return found === "partial" ? "state.partial" : found;
  }

  /** Writes the state at the end of a run, at once. */
  save(memory: PhysicalMemory): void {
    this.#write("state", this.#image(memory));
    for (const name of LEFT) if (name !== "state") rmSync(this.#file(name), { force: true });
  }

  /** Writes that the state could not be saved; what was saved before stays. */
  refuse(refusal: Refusal): void {
    this.#write("state.refused", [Buffer.from(`${JSON.stringify(refusal, null, 2)}\n`)]);
  }

  /** Writes what could be saved of a state at the end of a run. */
  savePartial(memory: PhysicalMemory): void {
    this.#write("state.partial", this.#image(memory));
  }

  #write(name: FileName, parts: Iterable<Uint8Array>): void {
    const path = this.#file(name);
    if (!this.#lockNow()) throw this.#locked();
    filing("write", path, () => {
      const fd = createTemporary(path);
      try {
        for (const part of parts) writeFully(fd, part);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      renameSync(`${path}.tmp`, path);
      this.#sync();
    });
  }

  /** Removes all that is kept: the state is somewhere else now. */
  forget(): void {
    for (const name of LEFT) rmSync(this.#file(name), { force: true });
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
      const { capacity } = image.record;
      const backEnd = createBackEnd(capacity);
      if (backEnd.capacity < capacity) throw tooLarge(path, capacity, backEnd.capacity);
      const memory = image.restore(backEnd);
      memory.own();
      return memory;
    } finally {
      closeSync(fd);
    }
  });
}

function tooLarge(path: string, capacity: number, available: number): KstateError {
  const [needed, have] = [capacity, available].map((bytes) => `${Math.ceil(bytes / 1024 ** 2)}M`);
  const problem = `it was kept in a memory of ${needed} and this service has one of ${have}`;
  const message = `cannot resume from ${path}: ${problem}; start it with kstate run --memory ${needed}`;
  return new KstateError("IMAGE_INVALID", message, { carrier: `file:${path}`, offset: 0, problem });
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
    const next =
      what === "make"
        ? "set KSTATE_DIR to a directory that this user can write, or KSTATE_PERSIST=no to keep nothing"
        : "the state that was saved before is as it was";
    const text = `cannot ${what} ${path}: ${message}; ${next}`;
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
