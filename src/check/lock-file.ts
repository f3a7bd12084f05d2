/**
 * The lock file, `kstate.lock.json`: the lock record with a hash for each description, where in the source it was found, and
 * hashes of its functions, which are no part of the record. A field stands on a line of its own, so that a change of the format is seen in review.
 */

import {
  type CodeHashes,
  codeHashing,
  type DescriptionRecord,
  type LockRecord,
  lockHash,
  lockText,
  parseLockRecord,
} from "../description/index.ts";
import type { SourceLocation } from "./finding.ts";

/** A lock record and where its parts were found, by JSON pointer. */
export interface LockFile {
  readonly record: LockRecord;
  readonly sources: ReadonlyMap<string, SourceLocation>;
  /** Hashes of the functions; undefined where they are not told, as in files of earlier versions. */
  readonly code?: CodeHashes | undefined;
}

/** Where editors find the schema of the file. */
const schema = "./node_modules/kstate/schema/lock.schema.json";

/** The text of a lock file. The same descriptions at the same places give the same text. */
export function formatLockFile({ record, sources, code }: LockFile): string {
  // Members come in one order, whoever made the record.
  const { format, descriptions } = parseLockRecord(lockText(record));
  const texts = descriptions.map((description, index) =>
    descriptionText(description, `/descriptions/${index}`, sources, code?.get(description.name) ?? {}),
  );
  return [
    "{",
    `  "$schema": ${JSON.stringify(schema)},`,
    `  "format": ${format},`,
    `  "hash": "${lockHash(record)}",`,
    ...(code === undefined ? [] : [`  "code": ${JSON.stringify(codeHashing)},`]),
    texts.length === 0 ? '  "descriptions": []' : `  "descriptions": [\n${texts.join(",\n")}\n  ]`,
    "}\n",
  ].join("\n");
}

function descriptionText(
  description: DescriptionRecord,
  pointer: string,
  sources: LockFile["sources"],
  hashes: Readonly<Record<string, string>>,
): string {
  const code = Object.keys(hashes).length === 0 ? {} : { code: hashes };
  const sourceAt = (at: string) => {
    const source = sources.get(at);
    return source === undefined ? {} : { source: locationText(source) };
  };
  const { fields, ...head } = description;
  const members = Object.entries({
    ...head,
    hash: descriptionHash(description),
    ...code,
    ...sourceAt(pointer),
  });
  const lines = members.map(([name, value]) => `      ${JSON.stringify(name)}: ${JSON.stringify(value)}`);
  const rows = fields.map(
    (field, index) => `        ${JSON.stringify({ ...field, ...sourceAt(`${pointer}/fields/${index}`) })}`,
  );
  lines.push(rows.length === 0 ? '      "fields": []' : `      "fields": [\n${rows.join(",\n")}\n      ]`);
  return `    {\n${lines.join(",\n")}\n    }`;
}

/** Changes exactly when the description does. */
function descriptionHash(description: DescriptionRecord): string {
  return lockHash({ format: 1, descriptions: [description] });
}

/** Reads the text of a lock file, or of a lock record alone. Throws `STREAM_CORRUPT`. */
export function parseLockFile(text: string): LockFile {
  const record = parseLockRecord(text);
  const sources = new Map<string, SourceLocation>();
  const { descriptions, code: hashing } = JSON.parse(text) as {
    readonly descriptions: readonly Sourced[];
    readonly code?: unknown;
  };
  for (const [i, description] of descriptions.entries()) {
    addSource(`/descriptions/${i}`, description, sources);
    for (const [j, field] of (description.fields ?? []).entries())
      addSource(`/descriptions/${i}/fields/${j}`, field, sources);
  }
  if (hashing !== codeHashing) return { record, sources };
  return {
    record,
    sources,
    code: new Map(record.descriptions.map(({ name }, i) => [name, codeOf(descriptions[i]!)])),
  };
}

/** Only what is a hash: the file may have been edited. */
function codeOf({ code }: Sourced): Readonly<Record<string, string>> {
  const entries = Object.entries((code ?? {}) as object);
  return Object.fromEntries(entries.filter(([, hash]) => /^[0-9a-f]{12}$/.test(String(hash))));
}

interface Sourced {
  readonly source?: unknown;
  readonly code?: unknown;
  readonly fields?: readonly Sourced[];
}

function addSource(pointer: string, { source }: Sourced, sources: Map<string, SourceLocation>): void {
  if (typeof source !== "string") return;
  const [, file, line, column] = /^(.+):(\d+):(\d+)$/.exec(source) ?? [];
  if (file !== undefined) sources.set(pointer, { file, line: Number(line), column: Number(column) });
}

/** `src/state.ts:12:3`. */
export function locationText({ file, line, column }: SourceLocation): string {
  return `${file}:${line}:${column}`;
}
