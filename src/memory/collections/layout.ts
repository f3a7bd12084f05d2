/**
 * CONTRACT: the layout of in-place collections, version 1 of arrays, versions 1 and 2 of maps. Little endian. The header is the folio whose owner is
 * `collection:NAME`; the owner of all others is `collection:NAME#`. A *word* is 32 bits. A folio is named by its page number (address / 4096) and order: `page | order << 24`, 0 for none; so collections live in
 * the first 64 GiB of physical memory.
 *
 * Header, in words:
 * ```
 *   0  magic "KCOL"                       6  length in bytes of the layout's text
 *   1  layout version of its kind         7  folio of the layout before, while rows are migrated; 0 otherwise
 *   2  kind: 1 array, 2 map               8  length in bytes of its text
 *   3  1 when it is whole                 9  number of the present layout (mod 256)
 *   4  first 4 bytes of the SHA-256      16  journal: count of stores, then 64 times
 *      of the layout's text                  (window, word in the window, value)
 *   5  folio of the layout             256  the collection's own
 * ```
 * Folio of a layout: the lock record of its description as JSON, padded to 8 bytes, and a row of defaults in it.
 *
 * **Journal.** Every operation that stores more than one word is a list of stores, in the journal first. Its count is
 * stored last: that is the moment at which the operation has happened. Then the stores are made and the count is
 * zeroed. Whoever opens a collection makes the stores of a journal whose count is not 0. So after the death of a
 * program at any instruction an operation is there or not. (This holds for the death of a program, not of the machine.)
 * Folios of the owner that nothing refers to were being added or given back: they are freed by whoever opens it.
 *
 * **Array**, own words:
 * ```
 * 256  length in rows                     259  folio of the rows in the layout before, 0 when nothing is migrated
 * 257  folio of the rows                  260  its capacity
 * 258  capacity in rows                   261  folio of marks: a byte for each row, 1 when it was migrated
 * 262  the next row to migrate            263  1: the staged row counts, and belongs at word 264's index
 * 264  index                              265  folio of the staged row
 * ```
 * Rows are kept by column: column c begins at `capacity × (sizes of the columns before it)`, each rounded up to 8.
 * A row is staged before it is stored in its columns.
 *
 * **Map**, own words:
 * ```
 * 256  count of entries                   261  1 while slots move from the table in use to the other
 * 257  unused                             262  the next slot to move
 * 258  which table is in use: 0 or 1      263  seed of the hash
 * 259  log2 of the slots of table 0       264  kind of key: 1 bytes, 2 string, 3 integer
 * 260  log2 of the slots of table 1       265  tombstones in table 0   266  in table 1
 * 267  reference of the next free unit    268  units left there
 * 269  count of segments                  270  clock of uses           271  next slot to migrate
 * 272  1 while free blocks are being joined: the lists have to be made anew from the blocks in use
 * 273  version 2: key of the hash, 4 words of random bits
 * 280  heads of the lists of free blocks, by class
 * 1024 chunks of table 0, 512 words       1536 chunks of table 1
 * 2048 segments, 2048 words
 * ```
 * Hash of a key's bytes: in version 2 the lower 32 bits of its SipHash-1-3; in version 1 a quick one that is mixed with the
 * seed, for which somebody who chooses keys can find any number that collide. A map keeps the version that it was made
 * with, so that a program which reads version 1 only can have it back; a new map is version 2.
 *
 * Slot: hash, reference; reference 0 is empty, 1 a tombstone. A table is 2^n slots in chunks of at most 2^18.
 * Reference: `window << 28 | unit in the window`, with windows of 4 GiB and units of 16 bytes.
 * Block: a number of units by class; words: next free block (in use in a map with a bound: the clock at its last use),
 * bytes of the key | layout << 24, bytes of the value, then the key, padded to words, and the value.
 * Classes: 1 to 15 units, then eight for each doubling. Integer keys are i64.
 *
 * Whoever opens a collection compares every word of the header that refers to something with the collection's folios and
 * with the others (`sound-header.ts`), and every reference to a block with the map's segments before it is followed.
 *
 * A change of any offset, size or meaning here makes a new layout version.
 */

export const COLLECTION_MAGIC = 0x4c4f434b;
export const COLLECTION_KINDS = { array: 1, map: 2 } as const;
export type CollectionKind = keyof typeof COLLECTION_KINDS;
/** The layouts that can be opened; the last one is that of a new collection. */
export const COLLECTION_VERSIONS = { array: [1], map: [1, 2] } as const;
/** The first layout of a map whose hash has a key. */
export const KEYED_VERSION = 2;

export const HEADER = {
  magic: 0,
  version: 1,
  kind: 2,
  whole: 3,
  hash: 4,
  layout: 5,
  layoutBytes: 6,
  before: 7,
  beforeBytes: 8,
  generation: 9,
  journal: 16,
} as const;
/** A folio is named by its page number in so many bits, and its order above them. */
export const PAGE_BITS = 24;
export const JOURNAL_STORES = 64;
export const JOURNAL_WORDS = 3;

export const ARRAY = {
  length: 256,
  rows: 257,
  capacity: 258,
  oldRows: 259,
  oldCapacity: 260,
  marks: 261,
  cursor: 262,
  staged: 263,
  stagedIndex: 264,
  staging: 265,
} as const;
export const ARRAY_HEADER_BYTES = 4096;

export const MAP = {
  count: 256,
  table: 258,
  bits: 259,
  moving: 261,
  cursor: 262,
  seed: 263,
  key: 264,
  tombstones: 265,
  bump: 267,
  bumpLeft: 268,
  segments: 269,
  clock: 270,
  migrated: 271,
  joining: 272,
  hashKey: 273,
  free: 280,
  chunks: 1024,
  segment: 2048,
} as const;
export const HASH_KEY_WORDS = 4;
export const MAP_HEADER_BYTES = 16_384;
export const HEADER_BYTES_OF = { array: ARRAY_HEADER_BYTES, map: MAP_HEADER_BYTES } as const;
export const MAX_CHUNKS = 512;
export const MAX_SEGMENTS = 2048;
export const MIN_SEGMENT_BYTES = 65_536;
export const MAX_SEGMENT_BYTES = 2 ** 30;
/** log2 of the slots of a chunk. */
export const CHUNK_BITS = 18;
export const MAX_TABLE_BITS = CHUNK_BITS + Math.log2(MAX_CHUNKS);
export const UNIT_BYTES = 16;
/** Bytes before a block's key. */
export const BLOCK_HEADER_BYTES = 12;
export const TOMBSTONE = 1;
/** A reference is a window's number and a unit in it. */
export const WINDOW_SHIFT = 28;
export const UNIT_MASK = 2 ** WINDOW_SHIFT - 1;
/** A block's second word is the length of its key and the number of its value's layout. */
export const KEY_BYTES_MASK = 0xffffff;
export const LAYOUT_SHIFT = 24;
export const KEY_KINDS = { bytes: 1, string: 2, integer: 3 } as const;
export type KeyKind = keyof typeof KEY_KINDS;
/** log2 of the units of the largest block: 256 MiB. */
export const MAX_BLOCK_BITS = 24;
export const CLASS_COUNT = 16 + 8 * (MAX_BLOCK_BITS - 3);

/** The class of blocks of at least so many units. */
export function classOf(units: number): number {
  if (units < 16) return units;
  const exponent = 31 - Math.clz32(units);
  const shift = exponent - 3;
  return 16 + (exponent - 4) * 8 + (((units + (1 << shift) - 1) >> shift) - 8);
}

/** The units of a class's blocks. */
export function unitsOf(sizeClass: number): number {
  if (sizeClass < 16) return sizeClass;
  return (8 + ((sizeClass - 16) & 7)) << (1 + ((sizeClass - 16) >> 3));
}

/** The largest class whose blocks fit into so many units. */
export function classWithin(units: number): number {
  const sizeClass = Math.min(classOf(units), CLASS_COUNT - 1);
  return unitsOf(sizeClass) > units ? sizeClass - 1 : sizeClass;
}
