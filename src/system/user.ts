/**
 * The user that this process acts as: whose files it makes, and whom the other end of a socket sees. -1 where there are no
 * users of that kind. In containers a user may have no entry in any table, so nobody is asked for a name.
 */
export function userId(): number {
  return process.geteuid?.() ?? -1;
}

/** Whether a user is this one, or root, who could do anything in its place. */
export function isTrusted(uid: number): boolean {
  return process.geteuid === undefined || uid === 0 || uid === userId();
}
