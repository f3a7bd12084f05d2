/**
 * CONTRACT: the layout of physical memory, version 1. Little endian.
 *
 * ```
 * page 0, page 1    two copies of the superblock; the valid one with the higher sequence number counts
 * page 2            verdict words
 * page 3 …          data: the handover stream
 * ```
 *
 * Superblock:
 * ```
 *  0  u32  magic "KMEM"                  24  u64  sequence, one more with every write
 *  4  u32  layout version                32  u32  generation of the update that wrote it
 *  8  u32  page size                     36  u32  0
 * 12  u32  state                         40  u64  address of the handover stream
 * 16  u64  capacity                      48  u64  its length, 0 when there is none
 *                                        56  u32  CRC-32 of bytes 0 to 55
 * ```
 * State: 1 RUNNING (a program owns the memory), 2 PENDING (frozen, the handover stream is valid),
 * 3 CLEAN (suspended). Written by the program that owns the memory, in turn into copy 0 and 1, after the data
 * that it names; commit and cancel both write RUNNING with no stream, so a stale stream is never found.
 *
 * Verdict word of generation g: the i32 at page 2, index g modulo 1024. Its value is `4 g + v`:
 * v = 1 PENDING, 2 COMMITTED, 3 CANCELLED. The supervisor writes PENDING before it asks for a freeze; from then
 * on it changes once, by compare-and-exchange, and whoever wins has decided the update.
 *
 * A change of any offset, size or meaning here makes a new layout version.
 */

export const MEMORY_MAGIC = 0x4d454d4b;
export const LAYOUT_VERSION = 1;
export const PAGE_SIZE = 4096;
export const SUPERBLOCK_COPIES = 2;
export const SUPERBLOCK_CRC_OFFSET = 56;
export const VERDICT_ADDRESS = 2 * PAGE_SIZE;
export const VERDICT_COUNT = PAGE_SIZE / 4;
export const DATA_ADDRESS = 3 * PAGE_SIZE;

export const STATE_NUMBERS = { RUNNING: 1, PENDING: 2, CLEAN: 3 } as const;
export type MemoryState = keyof typeof STATE_NUMBERS;

export const VERDICT_NUMBERS = { PENDING: 1, COMMITTED: 2, CANCELLED: 3 } as const;
export type Verdict = keyof typeof VERDICT_NUMBERS;
