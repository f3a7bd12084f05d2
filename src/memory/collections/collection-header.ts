import { KstateError } from "../../error/index.ts";
import type { Folio } from "../folio.ts";
import {
  COLLECTION_KINDS,
  COLLECTION_MAGIC,
  COLLECTION_VERSION,
  type CollectionKind,
  HEADER,
  KEY_KINDS,
  type KeyKind,
  MAP,
} from "./layout.ts";

interface Named {
  readonly name: string;
  readonly kind: CollectionKind;
}

interface NamedMap extends Named {
  readonly key: KeyKind | null;
  readonly layout: string | null;
}

/** Whether a header's collection was made to the end. */
export function isWhole(header: Folio): boolean {
  const words = header.view(Int32Array, 0, HEADER.whole + 1);
  return words[HEADER.magic] === COLLECTION_MAGIC && words[HEADER.whole] === 1;
}

/** `COLLECTION_MISMATCH` unless what is there is a collection of that kind, in a layout that we know. */
export function assertSameKind({ name, kind }: Named, words: Int32Array): void {
  const version = words[HEADER.version]!;
  if (version !== COLLECTION_VERSION) throw mismatch({ name, kind }, `its layout is version ${version}`);
  if (words[HEADER.kind] === COLLECTION_KINDS[kind]) return;
  throw mismatch({ name, kind }, "it is not a collection of that kind");
}

/** `COLLECTION_MISMATCH` unless what is there is a map with such keys and values. */
export function assertSameMap(record: NamedMap, words: Int32Array): void {
  if (words[MAP.key] !== KEY_KINDS[record.key!]) {
    const found = Object.entries(KEY_KINDS).find(([, number]) => number === words[MAP.key])?.[0];
    throw mismatch(record, `its keys are ${found ?? "unknown"}`);
  }
  const hasRows = record.layout !== null;
  if ((words[HEADER.layout] !== 0) === hasRows) return;
  throw mismatch(record, `its values are ${hasRows ? "blobs" : "rows of a description"}`);
}

function mismatch({ name, kind }: Named, problem: string): KstateError {
  return new KstateError("COLLECTION_MISMATCH", `cannot open the ${kind} ${name}: ${problem}`, {
    collection: name,
    problem,
  });
}
