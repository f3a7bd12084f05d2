import { crc32 } from "node:zlib";
import { KstateError } from "../error/index.ts";
import { HEADER_BYTES, PAGE_SIZE, SUPERBLOCK_COPIES } from "./layout.ts";
import type { MappedMemory } from "./mapped-memory.ts";
import type { Superblock } from "./superblock.ts";
import { decodeTable, EMPTY_TABLE, encodeTable, type FolioRecord, type Table } from "./table.ts";

/** Superblock and table of one moment. */
export interface Snapshot {
  readonly superblock: Superblock;
  readonly table: Table;
}

/**
 * How often in a row the owner may have replaced what is being read. Each time it wrote a table and gave another's pages
 * back, which takes longer than to read one: hundreds in a row are not chance.
 */
const MAX_OVERTAKEN = 1000;

/** What {@link PreservedTable} needs of the memory. */
type Pages = Pick<MappedMemory, "superblock" | "sequence" | "bytesAt">;

/** What the newest superblock says is preserved, read once for each superblock; see "Whoever does not own" in `layout.ts`. */
export class PreservedTable {
  readonly #memory: Pages;
  #sequence = -1;
  #table: Table = EMPTY_TABLE;
  /** Made when it is first asked for: a program that only allocates never needs it. */
  #byAddress: Map<number, FolioRecord> | undefined;

  constructor(memory: Pages) {
    this.#memory = memory;
  }

  /** `MEMORY_INVALID` when what is there is no table. */
  read(): Table {
    if (this.#sequence === this.#memory.sequence) return this.#table;
    return this.snapshot().table;
  }

  /** Superblock and table that belong together, though the owner goes on. `MEMORY_INVALID` and `MEMORY_BUSY`. */
  snapshot(): Snapshot {
    for (let overtaken = 0; overtaken <= MAX_OVERTAKEN; overtaken += 1) {
      const superblock = this.#memory.superblock();
      const { sequence } = superblock;
      if (this.#sequence === sequence) return { superblock, table: this.#table };
      const bytes = this.#take(superblock);
      if (bytes !== undefined) return { superblock, table: this.remember(sequence, decodeTable(bytes)) };
      if (this.#memory.superblock().sequence === sequence) throw invalid("its table is damaged");
    }
    throw new KstateError(
      "MEMORY_BUSY",
      `cannot read this memory: its owner has changed it ${MAX_OVERTAKEN} times while its table was read; try again`,
      {},
    );
  }

  /** The table's bytes, which nobody changes any more; undefined when they are not those that were written. */
  #take({ tableAddress, tableLength, tableCrc, capacity }: Superblock): Uint8Array | undefined {
    if (tableLength === 0) return EMPTY_BYTES;
    if (tableAddress < HEADER_BYTES || tableAddress + tableLength > capacity)
      throw invalid("its table is outside of it");
    const bytes = this.#memory.bytesAt(tableAddress, tableLength).slice();
    return crc32(bytes) === tableCrc ? bytes : undefined;
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
    const { superblock, table } = this.snapshot();
    const { capacity, tableAddress, tableLength } = superblock;
    const { streams, folios } = table;
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

const EMPTY_BYTES = encodeTable(EMPTY_TABLE);

/** What is there is not memory of ours, or not whole. */
export function invalid(problem: string): KstateError {
  return new KstateError("MEMORY_INVALID", `cannot use this memory: ${problem}`, {});
}
