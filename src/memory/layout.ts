/**
 * CONTRACT: the layout of physical memory, version 1. Little endian; addresses are offsets from its start.
 *
 * ```
 * page 0, page 1    two copies of the superblock; the valid one with the higher sequence number counts
 * page 2            verdict words
 * page 3 …          folios: runs of 2^order pages, aligned to their size
 * ```
 *
 * Superblock:
 * ```
 *  0  u32  magic "KMEM"                  32  u32  generation of the update that wrote it
 *  4  u32  layout version                36  u32  CRC-32 of the table
 *  8  u32  page size                     40  u64  address of the table, 0 when there is none
 * 12  u32  state                         48  u64  its length in bytes
 * 16  u64  capacity                      56  u32  CRC-32 of bytes 0 to 55
 * 24  u64  sequence, one more with every write
 * ```
 * State: 1 RUNNING (a program owns the memory), 2 PENDING (frozen, the stream named `handover` is valid),
 * 3 CLEAN (suspended, the same). The stream named `checkpoint` is what a program that crashed is started again from.
 *
 * Table, in folios of its own: all that is preserved. Everything else is free.
 * ```
 * u32 count of streams, each:             u64 address, u64 length, u32 generation, u8 order, text name
 * u32 count of preserved folios, each:    u64 address, u8 order, text owner
 * text:                                   u16 length, UTF-8
 * ```
 * An owner that begins with `collection:` is an in-place collection (`collections/layout.ts`): whoever owns the memory
 * keeps those folios, also when it does not know the collection, until the collection frees them.
 *
 * Who writes what when: the program that owns the memory writes data, then a new table into free pages, orders
 * both before what follows (`persist` on back ends that need it), then the superblock over its older copy, and only
 * then gives the old table's pages back. So a crash between any two writes leaves the superblock before, with all that
 * it names. Commit and cancel of an update both write RUNNING without the stream `handover`, so a stale one is never
 * found; a program that crashes while RUNNING leaves its named streams and preserved folios.
 *
 * Whoever does not own the memory reads it while the owner writes, so: takes the bytes of both superblocks out, and
 * believes the newest whose checksum is right; takes the bytes of its table out, and believes them if their checksum is
 * right. If it is not, the owner may have given the table's pages back meanwhile: the superblock is read again, and
 * only when that is the same the table is damaged. A stream's bytes count only if the table names it the same way
 * before and after they were read. In-place collections are read by the owner alone.
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
export const SUPERBLOCK_BYTES = SUPERBLOCK_CRC_OFFSET + 4;
export const VERDICT_ADDRESS = 2 * PAGE_SIZE;
export const VERDICT_COUNT = PAGE_SIZE / 4;
export const HEADER_PAGES = 3;
export const HEADER_BYTES = HEADER_PAGES * PAGE_SIZE;

/** The largest folio: 2^20 pages, 4 GiB, which is also the largest view that every Node can make. */
export const MAX_ORDER = 20;
/** The memory is mapped in windows of the largest folio's size, so that no folio spans two. */
export const WINDOW_BYTES = PAGE_SIZE * 2 ** MAX_ORDER;

/** The stream of a hand-over from one program to the next. */
export const HANDOVER = "handover";
/** A trial of it, made while the program serves. */
export const REHEARSAL = "rehearsal";

/** The stream that a program is started again from after a crash. */
export const CHECKPOINT = "checkpoint";

/** How the owner of every folio of an in-place collection begins. */
export const COLLECTION_OWNER = "collection:";

export const STATE_NUMBERS = { RUNNING: 1, PENDING: 2, CLEAN: 3 } as const;
export type MemoryState = keyof typeof STATE_NUMBERS;

export const VERDICT_NUMBERS = { PENDING: 1, COMMITTED: 2, CANCELLED: 3 } as const;
export type Verdict = keyof typeof VERDICT_NUMBERS;
