import { accessSync, chmodSync, constants, lstatSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KstateError } from "../error/index.ts";
import { isUnixBound } from "../memory/index.ts";
import { assertOwnDirectory, makeDirectories, removeDeadSocket, userId } from "../system/index.ts";

const MAX_SOCKET_PATH_BYTES = 107;

/**
 * The directory of the control sockets, the user's alone: `$KSTATE_RUNTIME_DIR`, else `kstate` in
 * `$XDG_RUNTIME_DIR`, else `kstate-UID` in the directory for temporary files.
 */
export function runtimeDirectory(environment: NodeJS.ProcessEnv): string {
  const { KSTATE_RUNTIME_DIR: own, XDG_RUNTIME_DIR: users } = environment;
  if (own) return own;
  return users ? join(users, "kstate") : join(tmpdir(), `kstate-${userId()}`);
}

/**
 * Makes the directory if it is not there. It is closed to others then. `NAME_INVALID` when it cannot be made or written, or
 * is not this user's.
 */
export function ensureRuntimeDirectory(directory: string): void {
  try {
    makeDirectories(directory);
  } catch (error) {
    throw unusable(directory, `${directory} cannot be made`, error);
  }
  const uid = userId();
  const found = lstatSync(directory);
  if (!found.isDirectory() || found.uid !== uid)
    throw unusable(directory, `${directory} is not a directory of user ${uid}; remove it, or`);
  try {
    if ((found.mode & 0o077) !== 0) chmodSync(directory, 0o700);
    accessSync(directory, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw unusable(directory, `nothing can be written in ${directory}`, error);
  }
}

function unusable(name: string, fact: string, cause?: unknown): KstateError {
  const why = cause === undefined ? "" : ` (${codeOf(cause)});`;
  const where =
    cause === undefined ? "KSTATE_RUNTIME_DIR" : "KSTATE_RUNTIME_DIR to a directory that this user can write";
  const problem = `${fact}${why} set ${where}`;
  return new KstateError(
    "NAME_INVALID",
    `cannot keep control sockets: ${problem}`,
    { name, problem },
    { cause },
  );
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}

/**
 * For whoever looks for a service: a directory that is not there has none. `FILE_UNTRUSTED` when it is not this user's,
 * or others may write it: then the sockets and records in it are anybody's.
 */
export function assertRuntimeDirectory(directory: string): void {
  if (isThere(directory)) assertOwnDirectory(directory);
}

/** Also if it is a link that leads nowhere. */
function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    if (codeOf(error) === "ENOTDIR") return false; // something in it is a file
    throw error;
  }
}

/** The path of a control socket; `NAME_INVALID` when the name has other characters or the path is too long. */
export function socketPath(directory: string, name: string): string {
  const path = join(directory, `${name}.sock`);
  const problem = !/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(name)
    ? "use letters, digits, dots, dashes and underscores"
    : Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES
      ? `${path} is longer than ${MAX_SOCKET_PATH_BYTES} bytes; set KSTATE_RUNTIME_DIR to a shorter path`
      : undefined;
  if (problem === undefined) return path;
  throw new KstateError("NAME_INVALID", `cannot use the name ${JSON.stringify(name)}: ${problem}`, {
    name,
    problem,
  });
}

/**
 * Removes the control sockets of programs of a service that nobody listens on any more; `keep` is a living
 * one's. That of another service, which may have such a name, stays if it is served.
 */
export async function sweepSockets(directory: string, name: string, keep: string): Promise<void> {
  for (const file of readdirSync(directory)) {
    const [own, rest] = [file.slice(0, name.length), file.slice(name.length)];
    const path = join(directory, file);
    if (own === name && /^\.[0-9a-f]{8}\.sock$/.test(rest) && path !== keep)
      await removeDeadSocket(path, isUnixBound);
  }
}
