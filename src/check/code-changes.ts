import type { DescriptionRecord, FieldRecord } from "../description/index.ts";
import type { Comparison } from "./finding.ts";

/** A function whose source is not what it was. */
export interface CodeChange {
  readonly description: string;
  /** `postLoad`, `hp until 1: save`. */
  readonly what: string;
  /** `has changed`, `is new` or `is gone`. */
  readonly change: string;
  readonly field: string | null;
  readonly record: DescriptionRecord | FieldRecord;
}

/** Functions of descriptions that both sides have; none unless both sides tell what theirs are. */
export function* codeChanges({ code, pairs }: Comparison): Generator<CodeChange> {
  if (code?.old === undefined || code.new === undefined) return;
  for (const pair of pairs) {
    const [before, after] = [code.old.get(pair.name) ?? {}, code.new.get(pair.name) ?? {}];
    for (const what of new Set([...Object.keys(before), ...Object.keys(after)])) {
      const change = changeOf(what, before[what], after[what]);
      if (change === undefined) continue;
      const name = /^(.+?)(?: (?:since|until) \d+)?: /.exec(what)?.[1];
      const record = pair.new.fields.find((field) => field.name === name) ?? pair.new;
      yield { description: pair.name, what, change, field: name ?? null, record };
    }
  }
}

/** What belongs to a field comes and goes with it, and `needed` has a rule of its own: only changes are told. */
function changeOf(what: string, before: string | undefined, after: string | undefined): string | undefined {
  if (before === after) return undefined;
  if (before !== undefined && after !== undefined) return "has changed";
  if (what === "needed" || what.includes(": ")) return undefined;
  return before === undefined ? "is new" : "is gone";
}

/** What a check of these sides says nothing about, in words; empty if all functions are known to be the same or told. */
export function notCompared({ code }: Comparison): readonly string[] {
  if (code?.old !== undefined && code.new !== undefined) return [];
  const known = code?.old ?? code?.new;
  if (known === undefined) return ["what hooks, checks and custom fields do: neither side tells their code"];
  const names = [...known].flatMap(([description, hashes]) =>
    Object.keys(hashes).map((what) => `${description} ${what}`),
  );
  if (names.length === 0) return [];
  const shown = names.slice(0, 5).join(", ") + (names.length > 5 ? ` and ${names.length - 5} more` : "");
  const silent = code?.old === undefined ? "the old side" : "the new side";
  return [`what code does (${shown}): ${silent} does not tell its own, a lock file does`];
}
