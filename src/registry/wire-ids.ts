import type { Crc32 } from "../stream/index.ts";

const encoder = new TextEncoder();

/** The id that a string key gets if it is free: its CRC-32 as int32, as the kernel's own users do. */
export function keyId(key: string, crc32: Crc32): number {
  return crc32(encoder.encode(key)) | 0;
}

/**
 * Ids for string keys: the first that is free, beginning with the key's own. A collision costs nothing: the key decides on
 * load. Ids that were seen to be taken are passed over at once, so that keys that somebody has chosen to collide take as
 * many steps as others, about two each.
 */
export class WireIds {
  readonly #crc32: Crc32;
  /** From an id that is taken to the next that may be free. */
  readonly #next = new Map<number, number>();

  constructor(crc32: Crc32) {
    this.#crc32 = crc32;
  }

  idOf(key: string, isTaken: (wireId: number) => boolean): number {
    const passed: number[] = [];
    let wireId = keyId(key, this.#crc32);
    for (;;) {
      const next = this.#next.get(wireId);
      if (next === undefined && !isTaken(wireId)) break;
      passed.push(wireId);
      wireId = next ?? (wireId + 1) | 0;
    }
    for (const each of passed) this.#next.set(each, wireId);
    return wireId;
  }

  /** An id has become free. */
  forget(): void {
    this.#next.clear();
  }
}
