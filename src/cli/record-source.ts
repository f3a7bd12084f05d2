/**
 * What `kstate check` compares may be a lock file, one of an older revision, a stream, the module that describes, or a
 * running service: each has a lock record.
 */

import { existsSync, readFileSync } from "node:fs";
import { type LockFile, parseLockFile } from "../check/index.ts";
import { type LockRecord, parseLockRecord } from "../description/index.ts";
import { isKstateError } from "../error/index.ts";
import { streamMagic } from "../stream/index.ts";
import { requestControl, runtimeDirectory, socketPath } from "../supervisor/index.ts";
import { gitText } from "./git-revision.ts";
import { lockEntries } from "./lock-entries.ts";
import { StreamFile, withStream } from "./stream-file.ts";
import { unreadable } from "./unreadable.ts";

/** A lock record and, where they are known, the places of its parts. Throws `RECORD_UNREADABLE`. */
export async function recordFrom(source: string): Promise<LockFile> {
  try {
    return await read(source);
  } catch (error) {
    if (isKstateError(error, "RECORD_UNREADABLE")) throw error;
    throw unreadable(source, error instanceof Error ? error.message : String(error), error);
  }
}

async function read(source: string): Promise<LockFile> {
  if (source.startsWith("git:")) return parseLockFile(gitText(source));
  if (source.startsWith("unix:")) return lockOfService(source, source.slice("unix:".length));
  if (existsSync(source)) return readFile(source);
  if (/[/\\]|\.\w+$/.test(source)) throw unreadable(source, "there is no such file");
  return lockOfService(source, socketPath(runtimeDirectory(process.env), source));
}

function readFile(path: string): Promise<LockFile> | LockFile {
  if (/\.[cm]?[jt]sx?$/.test(path)) return lockEntries([path]);
  return isStream(path) ? lockOfStream(path) : parseLockFile(readFileSync(path, "utf8"));
}

function isStream(path: string): boolean {
  const file = new StreamFile(path);
  try {
    const begin = file.read(0, 4);
    return (
      begin.length === 4 && new DataView(begin.buffer, begin.byteOffset).getUint32(0, true) === streamMagic
    );
  } finally {
    file.close();
  }
}

/** What the writer of a stream knew. */
function lockOfStream(path: string): Promise<LockFile> {
  return withStream(path, { foreign: false, lock: undefined }, ({ lock, damages }) => {
    if (lock !== undefined) return { record: lock, sources: new Map() };
    throw unreadable(path, damages[0]?.problem ?? "the stream has no trailer, and so no descriptions");
  });
}

/** The record that the program of a service gave its supervisor. */
async function lockOfService(source: string, path: string): Promise<LockFile> {
  const lock = (await requestControl(source, path, { type: "lock" })) as LockRecord | null;
  if (lock === null) throw unreadable(source, "its program has not called ready() of kstate/live yet");
  return { record: parseLockRecord(JSON.stringify(lock)), sources: new Map() };
}
