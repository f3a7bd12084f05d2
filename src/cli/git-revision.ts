/** Lock files of other revisions: `git:main`, `git:main...` (where this branch left it), `git:v1:services/chat/kstate.lock.json`. */

import { execFileSync } from "node:child_process";
import { unreadable } from "./unreadable.ts";

export const defaultLockFile = "kstate.lock.json";

interface Revision {
  readonly name: string;
  readonly isMergeBase: boolean;
  /** Relative to where the command runs. */
  readonly path: string;
}

/** The text of the file. Throws `RECORD_UNREADABLE`. */
export function gitText(source: string): string {
  const { name, isMergeBase, path } = revisionOf(source);
  try {
    const commit = isMergeBase ? git("merge-base", name, "HEAD").trim() : name;
    return git("show", `${commit}:./${path}`);
  } catch (error) {
    const { stderr, message } = error as { readonly stderr?: string; readonly message: string };
    throw unreadable(source, (stderr || message).trim().split("\n")[0]!, error);
  }
}

/**
 * What has to be said when a revision has changes of the file that this branch does not have: what they added would be
 * taken for something that this branch has removed.
 */
export function remarksOn(source: string): readonly string[] {
  if (!source.startsWith("git:")) return [];
  const { name, isMergeBase, path } = revisionOf(source);
  if (isMergeBase) return [];
  const count = changesAhead(name, path);
  if (count === 0) return [];
  const what = count === 1 ? "a change" : `${count} changes`;
  const place = path === defaultLockFile ? "" : `:${path}`;
  return [
    `${name} is ahead: it has ${what} of ${path} that this branch has not, and what was added there is reported as removed; merge ${name}, or compare with where this branch left it: git:${name}...${place}`,
  ];
}

function revisionOf(source: string): Revision {
  const [, name = "", dots, path = defaultLockFile] = /^git:([^:]+?)(\.\.\.)?(?::(.+))?$/.exec(source) ?? [];
  if (name === "" || name.startsWith("-"))
    throw unreadable(
      source,
      "write git:REVISION or git:REVISION:PATH; REVISION... is where this branch left it",
    );
  return { name, isMergeBase: dots !== undefined, path };
}

/** 0 as well where git cannot tell: without history or a common ancestor. */
function changesAhead(name: string, path: string): number {
  try {
    return Number(git("rev-list", "--count", `HEAD..${name}`, "--", `./${path}`));
  } catch {
    return 0;
  }
}

function git(...argv: readonly string[]): string {
  return execFileSync("git", argv, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: 1 << 28,
  });
}
