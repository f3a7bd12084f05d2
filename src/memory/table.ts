import { KstateError } from "../error/index.ts";

/** A stream in physical memory, found by its name. */
export interface StreamRecord {
  readonly name: string;
  /** Addresses and lengths in bytes. */
  readonly address: number;
  readonly length: number;
  /** The generation of the update, or the caller's own number. */
  readonly generation: number;
  readonly order: number;
}

/** A folio that is kept for the next program. */
export interface FolioRecord {
  readonly address: number;
  readonly order: number;
  /** Whose it is: the name of an in-place collection, or the path of the field that has it. */
  readonly owner: string;
}

/** Everything that is preserved; its bytes are in `layout.ts`. */
export interface Table {
  readonly streams: readonly StreamRecord[];
  readonly folios: readonly FolioRecord[];
}

export const EMPTY_TABLE: Table = { streams: [], folios: [] };
const MAX_TEXT_BYTES = 0xffff;

/** What a folio adds to a table. */
export function folioRecordBytes(owner: string): number {
  return 9 + 2 + Buffer.byteLength(owner);
}

/** Writes a table. */
export function encodeTable({ streams, folios }: Table): Uint8Array {
  const texts = [...streams.map(({ name }) => name), ...folios.map(({ owner }) => owner)].map((text) =>
    Buffer.from(text),
  );
  const size =
    8 + 21 * streams.length + 9 * folios.length + texts.reduce((sum, text) => sum + 2 + text.length, 0);
  const bytes = Buffer.alloc(size);
  let at = 0;
  const text = (value: Buffer): void => {
    if (value.length > MAX_TEXT_BYTES) throw new RangeError(`a name of ${value.length} bytes is too long`);
    at = bytes.writeUInt16LE(value.length, at);
    at += value.copy(bytes, at);
  };
  at = bytes.writeUInt32LE(streams.length, at);
  for (const [index, { address, length, generation, order }] of streams.entries()) {
    at = bytes.writeBigUInt64LE(BigInt(address), at);
    at = bytes.writeBigUInt64LE(BigInt(length), at);
    at = bytes.writeUInt32LE(generation, at);
    at = bytes.writeUInt8(order, at);
    text(texts[index]!);
  }
  at = bytes.writeUInt32LE(folios.length, at);
  for (const [index, { address, order }] of folios.entries()) {
    at = bytes.writeBigUInt64LE(BigInt(address), at);
    at = bytes.writeUInt8(order, at);
    text(texts[streams.length + index]!);
  }
  return bytes;
}

/** Reads a table whose checksum was found right; `MEMORY_INVALID` when it contradicts itself all the same. */
export function decodeTable(bytes: Uint8Array): Table {
  try {
    const reader = new TableReader(bytes);
    return {
      streams: reader.list(() => ({
        address: reader.u64(),
        length: reader.u64(),
        generation: reader.u32(),
        order: reader.u8(),
        name: reader.text(),
      })),
      folios: reader.list(() => ({ address: reader.u64(), order: reader.u8(), owner: reader.text() })),
    };
  } catch (cause) {
    const message = "cannot use this memory: its table of what is preserved is damaged";
    throw new KstateError("MEMORY_INVALID", message, {}, { cause });
  }
}

/** Every read is bounded by Node: one past the end throws. */
class TableReader {
  readonly #bytes: Buffer;
  #at = 0;
  #text = { at: 0, length: 0, text: "" };

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#skip(1));
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#skip(4));
  }

  u64(): number {
    return this.u32() + this.u32() * 2 ** 32;
  }

  /** Most texts are the one before: all folios of a collection have the same owner. */
  text(): string {
    const bytes = this.#bytes;
    const length = bytes.readUInt16LE(this.#skip(2));
    const at = this.#skip(length);
    const { at: before, length: lengthBefore, text } = this.#text;
    if (length === lengthBefore && bytes.compare(bytes, before, before + length, at, this.#at) === 0)
      return text;
    this.#text = { at, length, text: bytes.toString("utf8", at, this.#at) };
    return this.#text.text;
  }

  list<T>(read: () => T): T[] {
    const count = this.u32();
    if (count > this.#bytes.length) throw new RangeError("a count is larger than the table");
    return Array.from({ length: count }, read);
  }

  /** Where the next `size` bytes are. */
  #skip(size: number): number {
    const at = this.#at;
    this.#at += size;
    return at;
  }
}
