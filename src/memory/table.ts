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

/** Writes a table. */
export function encodeTable({ streams, folios }: Table): Uint8Array {
  const texts = [...streams.map(({ name }) => name), ...folios.map(({ owner }) => owner)].map((text) => Buffer.from(text));
  const size = 8 + 21 * streams.length + 9 * folios.length + texts.reduce((sum, text) => sum + 2 + text.length, 0);
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
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  const u32 = (): number => buffer.readUInt32LE((at += 4) - 4);
  const u64 = (): number => Number(buffer.readBigUInt64LE((at += 8) - 8));
  const u8 = (): number => buffer.readUInt8((at += 1) - 1);
  const text = (): string => {
    const length = buffer.readUInt16LE((at += 2) - 2);
    return buffer.toString("utf8", at, (at += length));
  };
  try {
    const streams = Array.from({ length: bounded(u32(), bytes.length) }, () => ({
      address: u64(),
      length: u64(),
      generation: u32(),
      order: u8(),
      name: text(),
    }));
    const folios = Array.from({ length: bounded(u32(), bytes.length) }, () => ({
      address: u64(),
      order: u8(),
      owner: text(),
    }));
    return { streams, folios };
  } catch (cause) {
    throw new KstateError("MEMORY_INVALID", "cannot use this memory: its table of what is preserved is damaged", {}, { cause });
  }
}

function bounded(count: number, bytes: number): number {
  if (count > bytes) throw new RangeError("a count is larger than the table");
  return count;
}
