import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import { writtenFunction } from "./guard.ts";
import type { Description, FieldModel, Kind } from "./model.ts";
import { nestedFields, nestedKinds, reachable } from "./walk.ts";

/**
 * The functions of descriptions, by name of description and by what they are there: `postLoad`, `pos.custom geo@1`. Each
 * as a hash of its source, to tell that it was changed; what it calls is not looked at. It is no part of a lock record:
 * layouts do not depend on it, and its hash neither.
 */
export type CodeHashes = ReadonlyMap<string, Readonly<Record<string, string>>>;

/** How hashes are made: those of another making say nothing. */
export const codeHashing = "sha256-48, without white space";

/** The hashes of descriptions and of all that they contain. */
export function codeHashes(descriptions: Iterable<Description>): CodeHashes {
  const found = new Map<string, Readonly<Record<string, string>>>();
  for (const description of reachable(descriptions)) found.set(description.name, hashesOf(description));
  return found;
}

function hashesOf(description: Description): Readonly<Record<string, string>> {
  const hashes: [string, string][] = [];
  const add: Add = (name, ...functions) => {
    const texts = functions.flatMap((written) => (written === undefined ? [] : [sourceText(written)]));
    if (texts.length > 0 && texts.every((text) => text !== undefined))
      hashes.push([name, hashOf(texts.join("\n"))]);
  };
  for (const [name, hook] of Object.entries(description.hooks)) add(name, hook as Written | undefined);
  add("check", ...description.checks.map(({ predicate }) => predicate as Written));
  addFields(description.fields, "", add);
  return Object.fromEntries(hashes);
}

type Written = (...args: never[]) => unknown;
type Add = (name: string, ...functions: readonly (Written | undefined)[]) => void;

function addFields(fields: readonly FieldModel[], around: string, add: Add): void {
  for (const field of fields) {
    const { name, since, until, kind, checks, save, load } = field;
    const path = `${around}${name}`;
    // One name may stand twice, in other versions.
    const versioned =
      until < Number.POSITIVE_INFINITY
        ? `${path} until ${until}`
        : since > 0
          ? `${path} since ${since}`
          : path;
    add(`${versioned}: check`, ...checks.map(({ predicate }) => predicate as Written));
    add(`${versioned}: save`, save);
    add(`${versioned}: load`, load);
    addKind(kind, versioned, path, add);
  }
}

function addKind(kind: Kind, versioned: string, path: string, add: Add): void {
  if (kind.kind === "custom") {
    const { save, load, skip, zero } = kind.codec;
    add(`${versioned}: custom ${kind.format}`, save, load, skip, zero);
  }
  for (const nested of nestedKinds(kind)) addKind(nested, versioned, path, add);
  for (const fields of nestedFields(kind)) addFields(fields, `${path}.`, add);
}

/** Undefined for what has no source: bound and native functions. */
function sourceText(written: Written): string | undefined {
  const text = Function.prototype.toString.call(writtenFunction(written));
  return /\{\s*\[native code\]\s*\}\s*$/.test(text) ? undefined : text;
}

/** Tools that take types away treat white space in their own ways. */
function hashOf(text: string): string {
  return bytesToHex(sha256(utf8ToBytes(text.replace(/\s+/g, "")))).slice(0, 12);
}
