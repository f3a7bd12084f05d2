import type { Folio } from "../folio.ts";
import { COLLECTION_OWNER, PAGE_SIZE } from "../layout.ts";
import type { PhysicalMemory } from "../physical-memory.ts";
import { assertSameKind, assertSameMap, isWhole } from "./collection-header.ts";
import { ColumnRows } from "./column-rows.ts";
import { conversion, isSameRows } from "./conversion.ts";
import { ARRAY, type CollectionKind, HEADER, type KeyKind, PAGE_BITS } from "./layout.ts";
import { parseRowLayout, type RowLayout } from "./row-layout.ts";
import { layoutFrom } from "./stored-layout.ts";

/** What a program says of a collection that it is going to open. JSON. */
export interface CollectionRecord {
  readonly name: string;
  readonly kind: CollectionKind;
  /** Of a map. */
  readonly key: KeyKind | null;
  /** The lock record of its rows' description as text; null when values are bytes. */
  readonly layout: string | null;
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
  const owner = COLLECTION_OWNER + name;
  const found = memory.preserved().folios.find((folio) => folio.owner === owner);
  const header = found === undefined ? undefined : memory.peek(found);
  if (header === undefined || !isWhole(header)) return false;
  const words = header.view(Int32Array);
  assertSameKind(record, words);
  if (kind === "map") assertSameMap(record, words);
  if (layout === null) return false;
  const stored = storedRows(memory, words);
  const wanted = parseRowLayout(layout, new Uint8Array(0));
  if (stored.text === layout || isSameRows(stored, wanted)) return false;
  conversion(name, stored, wanted);
  if (kind === "array") memory.assertRoom(ColumnRows.bytesFor(wanted, words[ARRAY.length]!));
  return true;
}

function storedRows(memory: PhysicalMemory, words: Int32Array): RowLayout {
  const number = words[HEADER.layout]!;
  const folio: Folio = memory.peek({
    address: (number & (2 ** PAGE_BITS - 1)) * PAGE_SIZE,
    order: number >>> PAGE_BITS,
  });
  return layoutFrom(folio, words[HEADER.layoutBytes]!);
}
