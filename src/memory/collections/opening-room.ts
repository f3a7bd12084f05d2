import { orderFor } from "../buddy.ts";
import { COLLECTION_OWNER, PAGE_SIZE } from "../layout.ts";
import type { RoomRequest } from "../owned-memory.ts";
import type { PhysicalMemory } from "../physical-memory.ts";
import { assertName, MAX_COLLECTION_BYTES, PARTS } from "./collection-memory.ts";
import { storedRows } from "./collection-record.ts";
import { ColumnRows } from "./column-rows.ts";
import { isSameRows } from "./conversion.ts";
import { ARRAY, ARRAY_HEADER_BYTES, type CollectionKind, HEADER, MAP_HEADER_BYTES } from "./layout.ts";
import type { RowLayout } from "./row-layout.ts";
import { SlotTable } from "./slot-table.ts";
import { FIRST_BITS } from "./slot-tables.ts";
import { isFinished } from "./sound-header.ts";
import { layoutBytes } from "./stored-layout.ts";

/**
 * What opening an array will allocate, known before the memory is this program's: `openIn` must not find it full then.
 * Errors: those of opening that a name alone makes.
 */
export function arrayRoom(
  memory: PhysicalMemory,
  name: string,
  layout: RowLayout,
  capacity: number,
): RoomRequest[] {
  const words = wordsOf(memory, "array", name);
  if (words === undefined)
    return requests(name, [ARRAY_HEADER_BYTES, ...rowsBytes(layout, capacity), layoutBytes(layout)]);
  const stored = storedRows(memory, name, words, HEADER.layout);
  const isReworded = stored.text !== layout.text;
  if (isReworded && !isSameRows(stored, layout)) {
    const rows = rowsBytes(layout, Math.max(capacity, words[ARRAY.length]!));
    return requests(name, [...rows, marksBytes(layout, rows[0]!), layoutBytes(layout)]);
  }
  const sizes = isReworded ? [layoutBytes(layout)] : [];
  const there = words[ARRAY.capacity]!;
  if (capacity > there) {
    const bytes = ColumnRows.bytesFor(layout, Math.max(capacity, 2 * there));
    sizes.push(bytes);
    if (words[ARRAY.oldRows] !== 0) sizes.push(marksBytes(layout, bytes));
  }
  return requests(name, sizes);
}

/** The same of a map. `layout` is undefined when its values are bytes. */
export function mapRoom(memory: PhysicalMemory, name: string, layout: RowLayout | undefined): RoomRequest[] {
  const words = wordsOf(memory, "map", name);
  const own = layout === undefined ? [] : [layoutBytes(layout)];
  if (words === undefined)
    return requests(name, [MAP_HEADER_BYTES, new SlotTable(0, FIRST_BITS).chunkBytes, ...own]);
  if (layout === undefined || storedRows(memory, name, words, HEADER.layout).text === layout.text) return [];
  return requests(name, own);
}

/** The header of a collection that is there, finished. */
function wordsOf(memory: PhysicalMemory, kind: CollectionKind, name: string): Int32Array | undefined {
  assertName(kind, name);
  const found = memory.preserved().folios.find(({ owner }) => owner === COLLECTION_OWNER + name);
  const words = found === undefined ? undefined : memory.peek(found).view(Int32Array);
  return words !== undefined && isFinished(name, words) ? words : undefined;
}

function requests(name: string, sizes: readonly number[]): RoomRequest[] {
  const what = `the collection ${name}`;
  return sizes.map((bytes) => ({
    bytes,
    owner: COLLECTION_OWNER + name + PARTS,
    below: MAX_COLLECTION_BYTES,
    what,
  }));
}

/** Of empty rows, and of the one that is staged. */
function rowsBytes(layout: RowLayout, rows: number): [rows: number, staging: number] {
  return [ColumnRows.bytesFor(layout, Math.max(1, rows)), layout.size];
}

/** A byte for each row that fits into the folio of so many bytes. */
function marksBytes(layout: RowLayout, rowsBytes: number): number {
  return ColumnRows.capacityOf(layout, PAGE_SIZE * 2 ** orderFor(Math.ceil(rowsBytes / PAGE_SIZE)));
}
