import { crc32 } from "node:zlib";
import { KstateError } from "../error/index.ts";
import {
  LAYOUT_VERSION,
  MEMORY_MAGIC,
  type MemoryState,
  PAGE_SIZE,
  STATE_NUMBERS,
  SUPERBLOCK_COPIES,
  SUPERBLOCK_CRC_OFFSET,
} from "./layout.ts";

/** What physical memory says of itself; offsets and sizes in bytes. */
export interface Superblock {
  readonly state: MemoryState;
  readonly capacity: number;
  readonly sequence: number;
  readonly generation: number;
  readonly tableCrc: number;
  readonly tableAddress: number;
  readonly tableLength: number;
}

/** Writes the next superblock over the older copy. */
export function writeSuperblock(memory: DataView, superblock: Superblock): void {
  const at = (superblock.sequence % SUPERBLOCK_COPIES) * PAGE_SIZE;
  memory.setUint32(at, MEMORY_MAGIC, true);
  memory.setUint32(at + 4, LAYOUT_VERSION, true);
  memory.setUint32(at + 8, PAGE_SIZE, true);
  memory.setUint32(at + 12, STATE_NUMBERS[superblock.state], true);
  memory.setBigUint64(at + 16, BigInt(superblock.capacity), true);
  memory.setBigUint64(at + 24, BigInt(superblock.sequence), true);
  memory.setUint32(at + 32, superblock.generation, true);
  memory.setUint32(at + 36, superblock.tableCrc, true);
  memory.setBigUint64(at + 40, BigInt(superblock.tableAddress), true);
  memory.setBigUint64(at + 48, BigInt(superblock.tableLength), true);
  memory.setUint32(at + SUPERBLOCK_CRC_OFFSET, checksum(memory, at), true);
}

/** Reads the newest valid copy; `MEMORY_INVALID` when there is none. */
export function readSuperblock(memory: DataView): Superblock {
  const copies = Array.from({ length: SUPERBLOCK_COPIES }, (_, copy) => readCopy(memory, copy * PAGE_SIZE));
  const newest = copies.filter((copy) => copy !== undefined).sort((a, b) => b.sequence - a.sequence)[0];
  if (newest === undefined) {
    throw new KstateError("MEMORY_INVALID", "cannot use this memory: neither superblock is valid", {});
  }
  return newest;
}

/** The higher sequence number of both copies, valid or not: while it is the same, so is everything else. */
export function highestSequence(memory: DataView): number {
  const [first, second] = [24, PAGE_SIZE + 24].map(
    (at) => memory.getUint32(at, true) + memory.getUint32(at + 4, true) * 2 ** 32,
  );
  return Math.max(first!, second!);
}

function readCopy(memory: DataView, at: number): Superblock | undefined {
  if (memory.getUint32(at, true) !== MEMORY_MAGIC || memory.getUint32(at + 4, true) !== LAYOUT_VERSION)
    return undefined;
  if (memory.getUint32(at + SUPERBLOCK_CRC_OFFSET, true) !== checksum(memory, at)) return undefined;
  const stateNumber = memory.getUint32(at + 12, true);
  const state = (Object.keys(STATE_NUMBERS) as MemoryState[]).find(
    (name) => STATE_NUMBERS[name] === stateNumber,
  );
  if (state === undefined) return undefined;
  return {
    state,
    capacity: Number(memory.getBigUint64(at + 16, true)),
    sequence: Number(memory.getBigUint64(at + 24, true)),
    generation: memory.getUint32(at + 32, true),
    tableCrc: memory.getUint32(at + 36, true),
    tableAddress: Number(memory.getBigUint64(at + 40, true)),
    tableLength: Number(memory.getBigUint64(at + 48, true)),
  };
}

function checksum(memory: DataView, at: number): number {
  return crc32(new Uint8Array(memory.buffer, memory.byteOffset + at, SUPERBLOCK_CRC_OFFSET));
}
