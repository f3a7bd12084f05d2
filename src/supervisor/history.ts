/**
 * CONTRACT: what has happened to a service, version 1: the file `NAME.history.jsonl` in the runtime directory, mode 0600,
 * one JSON object a line, the oldest first. It stays when the service ends. When it has grown to twice
 * {@link HISTORY_ENTRIES}, it is cut down to the newest of them.
 *
 * Every entry has `at` (ISO 8601) and `kind`; members may be added. A `program` is `pid`, `command` and `descriptions`
 * (names with versions).
 *
 * | kind | members |
 * | --- | --- |
 * | `started`, `restarted`, `adopted` | `program` |
 * | `crashed`, `ended` | `program`, `error` (`code`, `message`, `detail`); a `crashed` one is started again or given up |
 * | `update`, `rollback` | `generation`, `by` (`pid`, `uid`, `user`; null: a signal), `from` and `to` (programs), `outcome` (`committed`, `cancelled`, `crashed`), `phases` (ms each), `totalMs`, `figures` as in `kstate update --json`, `error` |
 * | `resolved` | `generation`, `verdict`: an update that was under way when its supervisor died, as the next one found it |
 */
import { join } from "node:path";
import { type ErrorRecord, isKstateError } from "../error/index.ts";
import type { HandoverFigures } from "../live/protocol.ts";
import { appendOwn, readOwn, replaceOwn } from "../system/index.ts";

/** How many entries are kept at least. */
export const HISTORY_ENTRIES = 200;

/** Who asked for an update. */
export interface Requester {
  readonly pid: number;
  readonly uid: number;
  readonly user: string;
}

/** A program, as the history tells of it. */
export interface ProgramFacts {
  readonly pid: number;
  readonly command: readonly string[];
  readonly descriptions: readonly { readonly name: string; readonly versionId: number }[];
}

export interface UpdateEntry {
  readonly at: string;
  readonly kind: "update" | "rollback";
  readonly generation: number;
  /** Null: a signal. */
  readonly by: Requester | null;
  readonly from: ProgramFacts;
  readonly to: ProgramFacts;
  readonly outcome: "committed" | "cancelled" | "crashed";
  /** How long each phase took, ms, in order; only those that were reached. */
  readonly phases: Readonly<Record<string, number>>;
  readonly totalMs: number;
  readonly figures: HandoverFigures | null;
  readonly error: ErrorRecord | null;
}

export type HistoryEntry =
  | UpdateEntry
  | {
      readonly at: string;
      readonly kind: "started" | "adopted" | "restarted";
      readonly program: ProgramFacts;
    }
  | {
      readonly at: string;
      readonly kind: "crashed" | "ended";
      readonly program: ProgramFacts;
      readonly error: ErrorRecord;
    }
  /** An update that was under way when its supervisor died, as the next one found it. */
  | {
      readonly at: string;
      readonly kind: "resolved";
      readonly generation: number;
      readonly verdict: "COMMITTED" | "CANCELLED";
    };

/** The history of one service. */
export class HistoryFile {
  readonly #path: string;

  constructor(runtimeDirectory: string, name: string) {
    this.#path = join(runtimeDirectory, `${name}.history.jsonl`);
  }

  /** The entries, the oldest first; none when nothing has happened. Lines that cannot be read are left out. */
  read(): HistoryEntry[] {
    return this.#lines().flatMap((line) => {
      try {
        const entry = JSON.parse(line) as HistoryEntry | null;
        return typeof entry?.at === "string" && typeof entry.kind === "string" ? [entry] : [];
      } catch {
        return []; // cut by a full disk
      }
    });
  }

  add(entry: HistoryEntry): void {
    const lines = this.#lines();
    if (lines.length >= 2 * HISTORY_ENTRIES) {
      replaceOwn(this.#path, `${lines.slice(-HISTORY_ENTRIES).join("\n")}\n`);
    }
    appendOwn(this.#path, `${JSON.stringify(entry)}\n`);
  }

  #lines(): string[] {
    try {
      return readOwn(this.#path).toString("utf8").split("\n").filter(Boolean);
    } catch (error) {
      if (isKstateError(error)) throw error;
      return [];
    }
  }
}
