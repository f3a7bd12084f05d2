/**
 * The one door to the file system for what a service lives by: its state, checkpoints, images, locks, records, history.
 *
 * Whatever is opened here is a regular file of this user or of root, which nobody else may write, and is not reached
 * over a symbolic link: a link in a directory that others may write names any file of this user, and a file of another
 * user holds what that user likes. `FILE_UNTRUSTED` says what was found and what to do. Files are made for this user alone,
 * and never made where there is one already, unless they are meant to be gone on with.
 *
 * Sources (a lock file of descriptions, generated code, golden files) are read as any compiler reads them, and only
 * written through {@link writeSource}: they are shared, and checked out by whoever does.
 */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  writeFileSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import { KstateError } from "../error/index.ts";
import { isTrusted, userId } from "./user.ts";

/** Not every system has them. */
const { O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;
const WRITABLE_BY_OTHERS = 0o022;
const WORLD_WRITABLE = 0o002;
const STICKY = 0o1000;

/** `read` and `write` what is there, `create` what is not, `keep` makes it if it is not there, `append` too. */
const PURPOSES = {
  read: constants.O_RDONLY,
  write: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
  keep: constants.O_RDWR | constants.O_CREAT,
  append: constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT,
} as const;

/**
 * The descriptor of a file of this user's. `FILE_UNTRUSTED`, or the system's own error; `flags` are added to those of the
 * purpose.
 */
export function openOwn(path: string, purpose: keyof typeof PURPOSES, flags = 0): number {
  return openChecked(path, PURPOSES[purpose] | flags, 0o600, (found) => problemOf(found, "a regular file"));
}

/** The descriptor of a file to read, found over links, of which the same is asked. */
export function openFollowed(path: string): number {
  return openChecked(realpathSync(path), PURPOSES.read, 0o600, (found) => problemOf(found, "a regular file"));
}

/** The bytes of a file of this user's. */
export function readOwn(path: string): Buffer {
  return withDescriptor(openOwn(path, "read"), (descriptor) => readFileSync(descriptor));
}

/** Writes a file that is not there yet. */
export function createOwn(path: string, content: string | Uint8Array, { sync = false } = {}): void {
  withDescriptor(openOwn(path, "create"), (descriptor) => {
    writeFileSync(descriptor, content);
    if (sync) fsyncSync(descriptor);
  });
}

/** Writes at the end of a file of this user's. */
export function appendOwn(path: string, text: string): void {
  withDescriptor(openOwn(path, "append"), (descriptor) => writeFileSync(descriptor, text));
}

/** Puts a file in the place of another one, or of none: whoever reads it finds the one before or this one, whole. */
export function replaceOwn(path: string, content: string | Uint8Array): void {
  const temporary = `${path}.${process.pid}`;
  rmSync(temporary, { force: true }); // of a process of that number that was killed
  createOwn(temporary, content);
  try {
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Writes a source file, whoever it belongs to, but not the file that a symbolic link leads to. */
export function writeSource(path: string, text: string): void {
  const flags = constants.O_WRONLY | constants.O_CREAT;
  const check = (found: Stats): string | undefined =>
    found.isFile() ? undefined : "it is not a regular file";
  withDescriptor(openChecked(path, flags, 0o666, check), (descriptor) => {
    ftruncateSync(descriptor);
    writeFileSync(descriptor, text);
  });
}

/** Makes a directory of this user alone, and those above it, if they are not there. */
export function makeOwnDirectory(path: string): void {
  makeDirectories(path);
  assertOwnDirectory(path);
}

/**
 * Makes a directory and those above it, for this user alone, if they are not there. The system's own error when it cannot.
 * Node's own way of it never ends where a file system has no such directory and makes none, as /proc.
 */
export function makeDirectories(path: string): void {
  const missing: string[] = [];
  for (let at = resolve(path); !existsSync(at); at = dirname(at)) missing.push(at);
  for (const each of missing.reverse()) {
    try {
      mkdirSync(each, { mode: 0o700 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error; // another process was faster
    }
  }
}

/**
 * Refuses with `FILE_UNTRUSTED` a directory that is not this user's or root's, or that others may write, or a symbolic
 * link to one. With `shared` the directory around it, in which others may have their own: any owner, but if all may write
 * to it then it has to be sticky, or what is in it could be exchanged.
 */
export function assertOwnDirectory(path: string, { shared = false } = {}): void {
  const found = lstatSync(path);
  const problem = shared ? sharedProblemOf(found) : problemOf(found, "a directory");
  if (problem !== undefined) throw untrusted(path, problem);
}

function sharedProblemOf({ mode }: Stats): string | undefined {
  const isOpen = (mode & WORLD_WRITABLE) !== 0 && (mode & STICKY) === 0 && process.geteuid !== undefined;
  return isOpen ? `everybody may write in it (mode ${octal(mode)}), so chmod o-w it` : undefined;
}

function openChecked(
  path: string,
  flags: number,
  mode: number,
  check: (found: Stats) => string | undefined,
): number {
  let descriptor: number;
  try {
    // A pipe that nobody writes to would be waited for.
    descriptor = openSync(path, flags | O_NOFOLLOW | O_NONBLOCK, mode);
  } catch (error) {
    if (isLink(path)) throw untrusted(path, LINK);
    throw error;
  }
  try {
    const problem = check(fstatSync(descriptor));
    if (problem !== undefined) throw untrusted(path, problem);
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

const LINK = "it is a symbolic link, so remove it, or name the file that it leads to";

function problemOf(found: Stats, kind: "a regular file" | "a directory"): string | undefined {
  if (found.isSymbolicLink()) return LINK;
  if (kind === "a directory" ? !found.isDirectory() : !found.isFile())
    return `it is not ${kind}, so remove it`;
  const { uid, mode } = found;
  if (!isTrusted(uid)) {
    return `it belongs to user ${uid} and this is user ${userId()}, so chown it, or work as that user`;
  }
  const isOpen = (mode & WRITABLE_BY_OTHERS) !== 0 && process.geteuid !== undefined;
  return isOpen ? `others may write it (mode ${octal(mode)}), so chmod go-w it` : undefined;
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, "0");
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
}

function untrusted(path: string, problem: string): KstateError {
  return new KstateError("FILE_UNTRUSTED", `will not use ${path}: ${problem}`, { path, problem });
}

function withDescriptor<T>(descriptor: number, use: (descriptor: number) => T): T {
  try {
    return use(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
