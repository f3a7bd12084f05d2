/** The paths of UNIX sockets: whether somebody is behind one, and whose it is to remove. */
import { type BigIntStats, lstatSync, statSync, unlinkSync } from "node:fs";
import { connect } from "node:net";
import { KstateError } from "../error/index.ts";
import { isTrusted, userId } from "./user.ts";

/** Which socket stands at a path. Inodes' numbers are given again soon, so the time when it was made counts too. */
export type SocketIdentity = Pick<BigIntStats, "dev" | "ino" | "birthtimeNs">;

/** What stands at a path; null when that is no socket, or nothing. */
export function identityOf(path: string): SocketIdentity | null {
  const found = lstatSync(path, { throwIfNoEntry: false, bigint: true });
  return found?.isSocket() === true ? found : null;
}

/** Refuses with `FILE_UNTRUSTED` to talk to a socket of another user than this one or root; one that is not there is not. */
export function assertOwnSocket(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (path.startsWith("@") || found === undefined || isTrusted(found.uid)) return;
  const problem = `it is a socket of user ${found.uid} and this is user ${userId()}, so name one of this user's or of root's`;
  throw new KstateError("FILE_UNTRUSTED", `will not talk to ${path}: ${problem}`, { path, problem });
}

/** Removes a socket, if it is still the one that stands at its path. */
export function removeSocket(path: string, { dev, ino, birthtimeNs }: SocketIdentity): void {
  const found = identityOf(path);
  if (found?.dev !== dev || found.ino !== ino || found.birthtimeNs !== birthtimeNs) return;
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

/**
 * Makes way at a path for a socket to be bound there: what a process of this user that was killed has left is removed.
 * False when somebody is behind it. `FILE_UNTRUSTED` when something else stands there, or another user's socket.
 */
export async function removeDeadSocket(
  path: string,
  isAlive: (path: string) => boolean | Promise<boolean> = isAnswered,
): Promise<boolean> {
  const found = lstatSync(path, { throwIfNoEntry: false, bigint: true });
  if (found === undefined) return true;
  const uid = Number(found.uid);
  const problem = !found.isSocket()
    ? "it is there already and is not a socket, so remove it, or listen somewhere else"
    : isTrusted(uid)
      ? undefined
      : `it is a socket of user ${uid} and this is user ${userId()}, so listen somewhere else`;
  if (problem !== undefined)
    throw new KstateError("FILE_UNTRUSTED", `will not remove ${path}: ${problem}`, { path, problem });
  if (await isAlive(path)) return false;
  removeSocket(path, found);
  return true;
}

/** Whether somebody takes connections at a path. Whoever cannot be asked, or is asked by too many, is there. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", ({ code }: NodeJS.ErrnoException) => {
      resolve(code !== "ECONNREFUSED" && code !== "ENOENT");
    });
  });
}
