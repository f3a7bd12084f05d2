import type { Crc32 } from "../stream/index.ts";

const encoder = new TextEncoder();

/** The id that a string key gets if it is free: its CRC-32 as int32, as the kernel's own users do. */
export function keyId(key: string, crc32: Crc32): number {
  return crc32(encoder.encode(key)) | 0;
}

/** The first id that is free, beginning with the key's own. A collision costs nothing: the key decides on load. */
export function freeId(key: string, crc32: Crc32, isTaken: (wireId: number) => boolean): number {
  let wireId = keyId(key, crc32);
  while (isTaken(wireId)) wireId = (wireId + 1) | 0;
  return wireId;
}
