import type { CodeHashes, DescriptionRecord, FieldRecord, Waiver } from "../description/index.ts";

/** `update`: the new program loads what the old one saved. `rollback`: the old one loads what the new one saved. */
export type Direction = "update" | "rollback";

/**
 * What comes of it in these directions: `refused`, whatever the values are; `lost`: a value that the loading program has
 * a field for does not arrive; `depends`: on the values, or on streams that were kept; `none`.
 */
export type Effect = "refused" | "lost" | "depends" | "none";

/** `refused` and `lost` are errors, `depends` is a warning, `none` is a note. */
export type Severity = "error" | "warning" | "note";

export const severityOf: Readonly<Record<Effect, Severity>> = {
  refused: "error",
  lost: "error",
  depends: "warning",
  none: "note",
};

/** The two records that are compared. */
export type SideName = "old" | "new";

/** A place in a source file. Line and column count from 1. */
export interface SourceLocation {
  /** As the lock file has it: relative to where `kstate lock` ran. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** What a rule has found. */
export interface RuleFinding {
  readonly description: string;
  /** Path of the field: `members.hp`; null for the description itself. */
  readonly field: string | null;
  readonly directions: readonly Direction[];
  readonly effect: Effect;
  readonly message: string;
  /** What stood there before and what stands there now; null where there is nothing. */
  readonly before: string | null;
  readonly after: string | null;
  readonly fix: string;
  readonly side: SideName;
  /** The part of that side's record that it is about. */
  readonly target: DescriptionRecord | FieldRecord;
}

/** A finding as data. */
export interface Finding extends Omit<RuleFinding, "target"> {
  /** Id of the rule. It never changes its meaning. */
  readonly rule: string;
  readonly severity: Severity;
  /** JSON pointer into the record of `side`. */
  readonly pointer: string;
  /** In the new program; the description where the field is gone. */
  readonly source: SourceLocation | null;
  /** The waiver that accepts it; null when nobody does, or not any more. */
  readonly waiver: Waiver | null;
}

/** One thing to look at; one file each in `rules/`. */
export interface Rule {
  readonly id: string;
  /** One line. */
  readonly title: string;
  /** Why it matters and what happens; for `--explain` and the reference. */
  readonly explanation: string;
  /** What to do, in general. */
  readonly fix: string;
  find(comparison: Comparison): Iterable<RuleFinding>;
}

/** A description that both sides have. */
export interface Pair {
  readonly name: string;
  readonly old: DescriptionRecord;
  readonly new: DescriptionRecord;
  /** In which version each direction goes; undefined where there is none in common. */
  readonly versionIds: Readonly<Record<Direction, number | undefined>>;
}

/** Two lock records side by side. */
export interface Comparison {
  readonly old: ReadonlyMap<string, DescriptionRecord>;
  readonly new: ReadonlyMap<string, DescriptionRecord>;
  readonly pairs: readonly Pair[];
  /** Hashes of the functions of each side, where it tells them. */
  readonly code?: { readonly [Side in SideName]?: CodeHashes | undefined };
}
