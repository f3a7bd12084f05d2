/**
 * The bytes of a stream: the contract between every program that writes one and every program that reads one.
 * Everything is little endian and packed, without padding.
 *
 * ## Body (byte for byte the kernel's)
 *
 *     u32 0x3B37778C
 *     entry*
 *     i32 -1                                    the end mark
 *
 *     entry = i32 section type                  2 section, 1 subsection
 *             i32 state id                      the description's id
 *             i32 version                       the description's version, which decides about the fields
 *             i32 instance                      the instance id; a subsection repeats its section's
 *             i32 size                          of the data that follows
 *             u8  data[size]                    the fields of that version, in the description's order
 *
 * A section is followed by its subsections. Sections stand in the order of registration; a reader must not
 * depend on it. Every entry is consumed exactly: bytes left over are an error.
 *
 * ## Data: the kinds
 *
 *     u8 … i64, f32, f64        1, 2, 4, 8 bytes; u64.safe and i64.safe like u64 and i64
 *     bool                      u8, 0 or 1
 *     char(n)                   n bytes: UTF-8, then NUL
 *     bytes(n)                  n bytes
 *     array(T, n)               n times T
 *     pointer(T)                T
 *     pointerArray(T, n)        n times T
 *     struct(D)                 a whole entry: the parent's section type, D's id and version, instance 0
 *     address(base)             u64, relative to the base
 *     folio                     u64, the address in physical memory
 *     custom                    its own
 *     string, json              u32 length in bytes, UTF-8
 *     blob                      u32 length, bytes
 *     typedArray(T)             u32 count, count times T
 *     optional(T)               u8 0, or u8 1 and T
 *     list(T), set(T)           u32 count, count times T
 *     map(K, V)                 u32 count, count times K and V
 *     record(fields)            the fields; their versions are those of the entry around them
 *     oneOf(tag, variants)      u16 index of the variant, its fields
 *     enumeration(names)        u16 index
 *     ref(D)                    u32 number, see below
 *     bitmap(n)                 ceil(n / 8) bytes, lowest bit first
 *     date, deadline            i64 milliseconds since 1970
 *     equal(T)                  T
 *     unused(n)                 n times 0
 *
 * A field that is not in the version, or whose `when` does not hold, takes no bytes.
 *
 * **Subsections of a nested struct** stand inside the nested entry's data, after its fields, counted in its size:
 * whole entries of type 1 with the instance 0. What is left after the fields is subsections.
 *
 * **Structs as elements of list, set and map** share one entry header: section type, id, version, instance 0,
 * size, then inside its data the u32 count and the elements (for a map: key, fields, key, fields). Their
 * subsections follow after all elements, still inside: for each subsection one entry header of type 1, and in its
 * data, for each element in order, u8 0 or 1 and, after a 1, the subsection's fields.
 *
 * **References.** Objects are numbered from 1 within a section, in the order in which they are first met; 0 is
 * null. A number that was not there before is the next one, and the object's body, a whole entry as for
 * `struct`, follows: at once, or, if the reference stands inside the body of another referenced object, after that
 * body and the bodies already waiting. So neither side ever recurses. A subsection knows the numbers given before
 * it; numbers first given in it are forgotten at its end, because a reader may skip it.
 *
 * ## Trailer (a kernel never reads past the end mark)
 *
 *      0  u8[4]  "KSTR"
 *      4  u16    version of the trailer: 1
 *      6  u16    flags: bit 0, the data checksum is there; all others 0
 *      8  u32    size of the trailer, from "KSTR" to its last checksum
 *     12  u32    CRC-32 of the magic, every entry header outside of data, and the end mark
 *     16  u32    CRC-32 of all entries' data, in order; 0 if the flag is not set
 *     20  u64    length of the whole stream
 *     28  u8[32] SHA-256 of the lock record
 *     60  u32    length of the lock record, then the record as JSON in UTF-8
 *      …  u32    number of entries, then for each
 *                  u64 offset of its header in the stream
 *                  u16 how many saves carried it unread
 *                  u16 length of the description's name in bytes, the name in UTF-8
 *                  u8  1 if the instance has a string key, else 0
 *                  u16 length of the key in bytes (0 without one), the key in UTF-8: 1 to 4096 UTF-16 units
 *      …  u32    CRC-32 of the trailer so far
 *
 * A change of anything above raises the trailer's version; the body never changes.
 */

export const streamMagic = 0x3b37778c;
export const sectionType = 2;
export const subsectionType = 1;
export const endMark = -1;
export const entryHeaderSize = 20;
/** The largest size of an entry's data. */
export const entrySizeLimit = 0x7fffffff;

export const trailerMagic = "KSTR";
export const trailerVersion = 1;
export const trailerFixedSize = 64;
export const dataChecksumFlag = 1;
/** The longest lock record that is read. */
export const lockRecordLimit = 16 * 1024 * 1024;

/** The longest string key of an instance, in UTF-16 units. */
export const instanceKeyLimit = 4096;

/** How deep structs may be nested in each other. */
export const depthLimit = 200;
