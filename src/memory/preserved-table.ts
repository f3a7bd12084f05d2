import { crc32 } from "node:zlib";
import { KstateError } from "../error/index.ts";
import { HEADER_BYTES, PAGE_SIZE, SUPERBLOCK_COPIES } from "./layout.ts";
import type { MappedMemory } from "./mapped-memory.ts";
import { decodeTable, EMPTY_TABLE, type FolioRecord, type Table } from "./table.ts";

/** What the newest superblock says is preserved, read once for each superblock. */
export class PreservedTable {
  readonly #memory: MappedMemory;
  #sequence = -1;
  #table: Table = EMPTY_TABLE;
  /** Made when it is first asked for: a program that only allocates never needs it. */
  #byAddress: Map<number, FolioRecord> | undefined;

  constructor(memory: MappedMemory) {
    this.#memory = memory;
  }

  /** `MEMORY_INVALID` when what is there is no table. */
  read(): Table {
    if (this.#sequence === this.#memory.sequence) return this.#table;
    const { sequence, tableAddress, tableLength, tableCrc, capacity } = this.#memory.superblock();
    if (this.#sequence === sequence) return this.#table;
    if (tableLength === 0) return this.remember(sequence, EMPTY_TABLE);
    if (tableAddress < HEADER_BYTES || tableAddress + tableLength > capacity)
      throw invalid("its table is outside of it");
    const bytes = this.#memory.bytesAt(tableAddress, tableLength);
    if (crc32(bytes) !== tableCrc) throw invalid("its table is damaged");
    return this.remember(sequence, decodeTable(bytes));
  }

  /** The table of a superblock that this program wrote itself. */
  remember(sequence: number, table: Table): Table {
    this.#sequence = sequence;
    this.#table = table;
    this.#byAddress = undefined;
    return table;
  }

  /** The preserved folio of an address. */
  folioAt(address: number): FolioRecord | undefined {
    const { folios } = this.read();
    this.#byAddress ??= new Map(folios.map((record) => [record.address, record]));
    return this.#byAddress.get(address);
  }

  /** All that a copy of the memory needs, in rising order and without overlap; lengths are whole pages. */
  ranges(): { readonly address: number; readonly lengthBytes: number }[] {
    const { capacity, tableAddress, tableLength } = this.#memory.superblock();
    const { streams, folios } = this.read();
    const ranges = [
      { address: 0, lengthBytes: SUPERBLOCK_COPIES * PAGE_SIZE },
      ...streams.map(({ address, length }) => ({ address, lengthBytes: pagesOf(length) })),
      ...folios.map(({ address, order }) => ({ address, lengthBytes: PAGE_SIZE * 2 ** order })),
      ...(tableLength > 0 ? [{ address: tableAddress, lengthBytes: pagesOf(tableLength) }] : []),
    ].sort((a, b) => a.address - b.address);
    for (const [index, { address, lengthBytes }] of ranges.entries()) {
      const limit = ranges[index + 1]?.address ?? capacity;
      if (address % PAGE_SIZE !== 0 || address + lengthBytes > limit) {
        throw invalid(`what is preserved at 0x${address.toString(16)} reaches into something else`);
      }
    }
    return ranges;
  }
}

function pagesOf(bytes: number): number {
  return Math.ceil(bytes / PAGE_SIZE) * PAGE_SIZE;
}

/** What is there is not memory of ours, or not whole. */
export function invalid(problem: string): KstateError {
  return new KstateError("MEMORY_INVALID", `cannot use this memory: ${problem}`, {});
}
