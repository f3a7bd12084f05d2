/**
 * CONTRACT: the image of a suspended service, version 1: what a file, a LUO session, a DAX file and a byte stream
 * carry. Little endian, written and read from front to back.
 *
 * ```
 * head     u32 magic "KIMG"   u32 version   u32 length of the record   u32 CRC-32 of the record
 * record   UTF-8 JSON, {@link ImageRecord}
 * piece*   u64 address   u32 length   u32 CRC-32 of the data   data
 * end      u64 2^64 - 1   u32 count of pieces   u32 CRC-32 of everything above but the pieces' data
 *          SHA-256 of everything above, or 32 zeros when the record says `digest: "none"`
 * ```
 * A piece is a run of pages of physical memory (`memory/layout.ts`): address and length are multiples of 4096, in
 * rising order without overlap, and no piece crosses a multiple of {@link PIECE_BYTES}. Pages of zeros are left out,
 * also within a folio, and so is everything that is not preserved. The memory is CLEAN: its superblock, which is the
 * first piece, names the stream `handover` and all folios.
 *
 * A file and a byte stream have a digest, as they may be copied and kept; in LUO and DAX, which the service waits for,
 * the checksums of the pieces do. What comes after the end is not looked at: a file on DAX may be larger.
 *
 * A change of any offset, size or meaning, or a new required member of the record, makes a new version.
 */
export const IMAGE_MAGIC = 0x474d494b;
export const IMAGE_VERSION = 1;
export const HEAD_BYTES = 16;
export const PIECE_HEAD_BYTES = 16;
export const END_BYTES = 48;
export const END_ADDRESS = 0xffff_ffff_ffff_ffffn;
export const PIECE_BYTES = 4 * 1024 * 1024;
export const MAX_RECORD_BYTES = 64 * 1024;
export const DIGEST_BYTES = 32;
/** More than any memory has: what a record says beyond that is no capacity. */
export const MAX_CAPACITY = 2 ** 47;

/** What an image says of itself. */
export interface ImageRecord {
  /** Of this image alone: a copy has the same. */
  readonly id: string;
  /** The service's name. */
  readonly service: string;
  /** Of the suspend: one more with every update, suspend and resume. */
  readonly generation: number;
  /** Size of the physical memory, bytes. */
  readonly capacity: number;
  /** `/proc/sys/kernel/random/boot_id` of the kernel under which it was saved. */
  readonly bootId: string;
  readonly host: string;
  /** ISO 8601. */
  readonly savedAt: string;
  /** Size of the whole image, bytes. */
  readonly sizeBytes: number;
  readonly digest: "sha256" | "none";
}
