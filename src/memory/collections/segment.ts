import { KstateError } from "../../error/index.ts";
import type { Folio } from "../folio.ts";
import { type CollectionMemory, windowOf, wordOf } from "./collection-memory.ts";
import { MAX_SEGMENT_BYTES, MAX_SEGMENTS, MIN_SEGMENT_BYTES, UNIT_BYTES, WINDOW_SHIFT } from "./layout.ts";

const MIB = 2 ** 20;
/** Up to so many segments are at most so large: growing by small ones makes no pause, and the header has room. */
const SEGMENT_STEPS = [
  [512, 4 * MIB],
  [1024, 16 * MIB],
  [1536, 64 * MIB],
  [MAX_SEGMENTS, MAX_SEGMENT_BYTES],
] as const;

/** The segments that a map has and may have. */
export interface SegmentTotals {
  readonly count: number;
  readonly bytes: number;
  readonly maxBytes: number;
}

/**
 * The size of the next segment, for a block of so many bytes: an eighth of what there is, as a power of two; less when
 * the bound leaves no more; 0 when it leaves nothing.
 */
export function nextSegmentBytes(
  name: string,
  { count, bytes, maxBytes }: SegmentTotals,
  blockBytes: number,
): number {
  const cap = SEGMENT_STEPS.find(([segments]) => count < segments)?.[1];
  if (cap === undefined) {
    const limit = `${MAX_SEGMENTS} segments`;
    const message = `cannot grow the map ${name}: it has ${limit}`;
    throw new KstateError("MEMORY_FULL", message, { bytes: blockBytes, limit });
  }
  const wanted = Math.max(MIN_SEGMENT_BYTES, blockBytes, Math.min(bytes / 8, cap));
  const left = maxBytes - bytes;
  const rounded = 2 ** Math.ceil(Math.log2(wanted));
  if (rounded <= left) return rounded;
  return left < MIN_SEGMENT_BYTES ? 0 : 2 ** Math.floor(Math.log2(left));
}

/** A segment of so many bytes; where there is not much left, a smaller one that holds the block does. */
export function allocSegment(memory: CollectionMemory, bytes: number, blockBytes: number): Folio {
  const least = 2 ** Math.ceil(Math.log2(Math.max(MIN_SEGMENT_BYTES, blockBytes)));
  for (let wanted = bytes; ; wanted /= 2) {
    try {
      return memory.alloc(wanted);
    } catch (error) {
      if (wanted <= least) throw error;
    }
  }
}

/** The reference of a segment's first unit. */
export function firstUnit(segment: Folio): number {
  return (windowOf(segment) << WINDOW_SHIFT) | ((wordOf(segment) * 4) / UNIT_BYTES);
}

/** Whether a reference is to a unit of a segment. */
export function isInside(reference: number, segment: Folio): boolean {
  return (reference - firstUnit(segment)) >>> 0 < segment.size / UNIT_BYTES;
}
