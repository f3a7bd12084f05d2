import { chmodSync, lstatSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KstateError } from "../error/index.ts";

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

/** Makes the directory if it is not there; `NAME_INVALID` unless it is this user's and closed to others. */
export function ensureRuntimeDirectory(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const uid = userId();
  const found = lstatSync(directory);
  if (!found.isDirectory() || found.uid !== uid) {
    const problem = `${directory} is not a directory of user ${uid}; remove it, or set KSTATE_RUNTIME_DIR`;
    throw new KstateError("NAME_INVALID", `cannot keep control sockets: ${problem}`, {
      name: directory,
      problem,
    });
  }
  if ((found.mode & 0o077) !== 0) chmodSync(directory, 0o700);
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

/** Removes the control sockets of programs of a service that nobody serves behind any more; `keep` is a living one's. */
export function sweepSockets(directory: string, name: string, keep: string): void {
  for (const file of readdirSync(directory)) {
    const path = join(directory, file);
    const [own, rest] = [file.slice(0, name.length), file.slice(name.length)];
    if (own === name && /^\.[0-9a-f]{8}\.sock$/.test(rest) && path !== keep) rmSync(path, { force: true });
  }
}

/** In containers a user may have no entry in any table of users, so nobody is asked for a name. */
function userId(): number {
  return process.getuid?.() ?? -1;
}
