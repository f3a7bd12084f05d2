import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { TestContext } from "node:test";

/** Nobody's user id. */
export const SECOND_USER = 65534;

/** Whether this test can act as a second user; if not it is skipped, and says so. */
export function canBeAnother(t: TestContext): boolean {
  if (process.getuid?.() === 0) return true;
  t.skip("NOT TESTED: only root can act as a second user; run the tests as root");
  return false;
}

/** Does something at once, as the second user; nothing may be awaited in it. */
export function asAnother<T>(action: () => T): T {
  process.seteuid!(SECOND_USER);
  try {
    return action();
  } finally {
    process.seteuid!(0);
  }
}

/** Starts a program of the second user that says a line when it is ready; it ends with the test. */
export async function startAsAnother(t: TestContext, source: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, ["-e", source], {
    uid: SECOND_USER,
    gid: SECOND_USER,
    cwd: "/",
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  await once(child.stdout!, "data");
  return child;
}
