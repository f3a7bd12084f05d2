import { crc32 } from "node:zlib";
import { KstateError } from "../error/index.ts";
import {
  LAYOUT_VERSION,
  MEMORY_MAGIC,
  type MemoryState,
  PAGE_SIZE,
  STATE_NUMBERS,
  SUPERBLOCK_BYTES,
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

/**
 * Reads the newest valid copy; `MEMORY_INVALID` when there is none. The owner may be writing: each copy is taken out of the
 * memory before it is checked, and while one is being written the other is valid. Both can be torn only when the owner
 * has gone on from one to the other between the two reads, so that they are other bytes the next time.
 */
export function readSuperblock(memory: DataView): Superblock {
  let before: readonly DataView[] | undefined;
  for (;;) {
    const taken = Array.from({ length: SUPERBLOCK_COPIES }, (_, copy) => take(memory, copy * PAGE_SIZE));
    const newest = taken
      .map(parse)
      .filter((copy) => copy !== undefined)
      .sort((a, b) => b.sequence - a.sequence)[0];
    if (newest !== undefined) return newest;
    if (before?.every((copy, i) => isSame(copy, taken[i]!))) {
      throw new KstateError("MEMORY_INVALID", "cannot use this memory: neither superblock is valid", {});
    }
    before = taken;
  }
}

/** The higher sequence number of both copies, valid or not: while it is the same, so is everything else. */
export function highestSequence(memory: DataView): number {
  const [first, second] = [24, PAGE_SIZE + 24].map(
    (at) => memory.getUint32(at, true) + memory.getUint32(at + 4, true) * 2 ** 32,
  );
  return Math.max(first!, second!);
}

/** A copy's bytes, which nobody changes any more. */
function take(memory: DataView, at: number): DataView {
  const from = memory.byteOffset + at;
  return new DataView(new Uint8Array(memory.buffer, from, SUPERBLOCK_BYTES).slice().buffer);
}

function isSame(a: DataView, b: DataView): boolean {
  return Buffer.compare(new Uint8Array(a.buffer), new Uint8Array(b.buffer)) === 0;
}

function parse(copy: DataView): Superblock | undefined {
  if (copy.getUint32(0, true) !== MEMORY_MAGIC || copy.getUint32(4, true) !== LAYOUT_VERSION)
    return undefined;
  if (copy.getUint32(SUPERBLOCK_CRC_OFFSET, true) !== checksum(copy, 0)) return undefined;
  const stateNumber = copy.getUint32(12, true);
  const state = (Object.keys(STATE_NUMBERS) as MemoryState[]).find(
    (name) => STATE_NUMBERS[name] === stateNumber,
  );
  if (state === undefined) return undefined;
  return {
    state,
    capacity: Number(copy.getBigUint64(16, true)),
    sequence: Number(copy.getBigUint64(24, true)),
    generation: copy.getUint32(32, true),
    tableCrc: copy.getUint32(36, true),
    tableAddress: Number(copy.getBigUint64(40, true)),
    tableLength: Number(copy.getBigUint64(48, true)),
  };
}

function checksum(memory: DataView, at: number): number {
  return crc32(new Uint8Array(memory.buffer, memory.byteOffset + at, SUPERBLOCK_CRC_OFFSET));
}
