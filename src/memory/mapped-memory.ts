import type { Access, BackEnd, Mapping } from "./back-end.ts";
import { Folio } from "./folio.ts";
import { HEADER_BYTES, PAGE_SIZE, VERDICT_ADDRESS, VERDICT_COUNT } from "./layout.ts";
import { highestSequence, readSuperblock, type Superblock, writeSuperblock } from "./superblock.ts";
import { VerdictTable } from "./verdict.ts";

/** A run of pages in physical memory. */
export interface Run {
  readonly address: number;
  readonly order: number;
}

/** Physical memory as this program sees it: the header, which all can write, and the bytes of any range. */
export class MappedMemory {
  readonly backEnd: BackEnd;
  readonly verdicts: VerdictTable;
  readonly #mapping: Mapping;
  readonly #header: DataView;
  /** Views that were made beforehand, by address. */
  readonly #prepared = new Map<number, Uint8Array<ArrayBuffer>>();

  constructor(backEnd: BackEnd, access: Access) {
    this.backEnd = backEnd;
    this.#mapping = backEnd.map(0, backEnd.capacity, access);
    const { buffer, byteOffset } = backEnd.map(0, HEADER_BYTES, "write").view(0, HEADER_BYTES);
    this.#header = new DataView(buffer, byteOffset, HEADER_BYTES);
    this.verdicts = new VerdictTable(new Int32Array(buffer, byteOffset + VERDICT_ADDRESS, VERDICT_COUNT));
  }

  /** The newest valid superblock. */
  superblock(): Superblock {
    return readSuperblock(this.#header);
  }

  /** The higher sequence number of both superblocks, valid or not: while it is the same, so is everything else. */
  get sequence(): number {
    return highestSequence(this.#header);
  }

  /** Orders all data before the superblock that names it. */
  writeSuperblock(superblock: Superblock): void {
    const { capacity } = this.backEnd;
    this.backEnd.persist(HEADER_BYTES, capacity - HEADER_BYTES); // data is stored through views, so anywhere
    writeSuperblock(this.#header, superblock);
    this.backEnd.persist(0, HEADER_BYTES);
  }

  /** The bytes of a range of at most 4 GiB. */
  bytesAt(address: number, lengthBytes: number): Uint8Array<ArrayBuffer> {
    const prepared = this.#prepared.get(address);
    return prepared?.length === lengthBytes ? prepared : this.#mapping.view(address, lengthBytes);
  }

  /** Makes the view of a folio before it is needed: see {@link Mapping.view}. */
  prepare({ address, order }: Run): void {
    this.#prepared.set(address, this.bytesAt(address, PAGE_SIZE * 2 ** order));
  }

  /** A folio; its view is made when it is first asked for. */
  folio({ address, order }: Run): Folio {
    return new Folio(address, order, () => this.bytesAt(address, PAGE_SIZE * 2 ** order));
  }

  /** A window of 4 GiB, by number: see {@link Mapping.window}. */
  window(number: number): ArrayBufferLike {
    return this.#mapping.window(number);
  }

  /** Takes the pages of a run away; where the system does not take them back they stay, and read as zeros too. */
  release({ address, order }: Run): void {
    const lengthBytes = PAGE_SIZE * 2 ** order;
    this.#prepared.delete(address);
    try {
      this.backEnd.release(address, lengthBytes);
    } catch {
      this.bytesAt(address, lengthBytes).fill(0);
    }
  }

  allowWrites(): void {
    this.#mapping.allowWrites();
  }

  /** Undoes {@link allowWrites}. */
  forbidWrites(): void {
    this.#mapping.forbidWrites();
  }

  /** Cuts this program off: what it stores from now on, in any view and any thread, nobody else sees. */
  fence(): void {
    this.#mapping.fence();
  }

  /** Undoes {@link fence}. */
  unfence(): void {
    this.#mapping.unfence();
  }
}
