import type { Folio } from "../folio.ts";
import { COLLECTION_OWNER, PAGE_SIZE } from "../layout.ts";
import type { PhysicalMemory } from "../physical-memory.ts";
import { assertSameKind, assertSameMap } from "./collection-header.ts";
import { PARTS } from "./collection-memory.ts";
import { ColumnRows } from "./column-rows.ts";
import { conversion, isSameRows } from "./conversion.ts";
import { ARRAY, type CollectionKind, HEADER, type KeyKind, PAGE_BITS } from "./layout.ts";
import { parseRowLayout, type RowLayout } from "./row-layout.ts";
import { assertSoundHeader, isFinished } from "./sound-header.ts";
import { layoutFrom } from "./stored-layout.ts";

/** What a program says of a collection that it is going to open. JSON. */
export interface CollectionRecord {
  readonly name: string;
  readonly kind: CollectionKind;
  /** Of a map. */
  readonly key: KeyKind | null;
  /** The lock record of its rows' description as text; null when values are bytes. */
  readonly layout: string | null;
  /** The versions of a collection's own layout that it can open; absent is version 1. */
  readonly versions?: readonly number[];
}

/**
 * Refuses what the program that sent the records could not open in this memory, before it has it: `COLLECTION_MISMATCH`
 * and `LAYOUT_MISMATCH` as opening would, `MEMORY_FULL` when the rows of an array in their new layout have no room.
 * Returns the names of the collections whose rows would have to be migrated.
 */
export function assertOpenable(memory: PhysicalMemory, records: readonly CollectionRecord[]): string[] {
  return records.filter((record) => willMigrate(memory, record)).map(({ name }) => name);
}

function willMigrate(memory: PhysicalMemory, record: CollectionRecord): boolean {
  const { name, kind, layout } = record;
  const { folios } = memory.preserved();
  const found = folios.find((folio) => folio.owner === COLLECTION_OWNER + name);
  if (found === undefined) return false;
  const words = memory.peek(found).view(Int32Array);
  if (!isFinished(name, words)) return false;
  assertSameKind({ name, kind, versions: record.versions ?? [1] }, words);
  const parts = folios.filter((folio) => folio.owner === COLLECTION_OWNER + name + PARTS).map(numberOf);
  const numbers = new Set(parts);
  assertSoundHeader(name, kind, { header: numberOf(found), has: (number) => numbers.has(number) }, words);
  if (kind === "map") assertSameMap(record, words);
  if (layout === null) return false;
  const wanted = parseRowLayout(name, layout, new Uint8Array(0));
  const stored = storedRows(memory, name, words, HEADER.layout);
  if (kind === "array") assertRows(name, stored, words, ARRAY.rows, ARRAY.capacity);
  if (words[HEADER.before] !== 0) {
    const before = storedRows(memory, name, words, HEADER.before);
    conversion(name, before, stored);
    if (kind === "array") assertRows(name, before, words, ARRAY.oldRows, ARRAY.oldCapacity);
  }
  if (stored.text === layout || isSameRows(stored, wanted)) return false;
  conversion(name, stored, wanted);
  if (kind === "array") memory.assertRoom(ColumnRows.bytesFor(wanted, words[ARRAY.length]!));
  return true;
}

/** Refuses what opening the rows would: the header's folio of them does not hold so many. */
function assertRows(
  name: string,
  layout: RowLayout,
  words: Int32Array,
  rows: number,
  capacity: number,
): void {
  ColumnRows.assertRoom(name, layout, words[capacity]!, PAGE_SIZE * 2 ** (words[rows]! >>> PAGE_BITS));
}

/** The layout that the header's words from `at` refer to. */
export function storedRows(memory: PhysicalMemory, name: string, words: Int32Array, at: number): RowLayout {
  const number = words[at]!;
  const address = (number & (2 ** PAGE_BITS - 1)) * PAGE_SIZE;
  const folio: Folio = memory.peek({ address, order: number >>> PAGE_BITS });
  const hash = at === HEADER.layout ? words[HEADER.hash]! : undefined;
  return layoutFrom(name, folio, words[at + 1]!, hash);
}

function numberOf({ address, order }: { readonly address: number; readonly order: number }): number {
  return (address / PAGE_SIZE) | (order << PAGE_BITS);
}
