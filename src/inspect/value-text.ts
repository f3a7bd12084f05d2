import type { ByteSource } from "./byte-window.ts";
import type { LeafEvent, LeafValue } from "./events.ts";

/** A value as people write it; long text is cut. */
export function valueText(value: LeafValue, limit = Number.POSITIVE_INFINITY): string {
  if (value === null) return "null";
  if (value instanceof Date) return value.toISOString();
  if (typeof value === "object") return shortened(JSON.stringify(value.json), limit);
  if (typeof value === "string") return shortened(JSON.stringify(value), limit);
  return Object.is(value, -0) ? "-0" : String(value);
}

/** At most so many characters. */
export function shortened(text: string, limit: number): string {
  return text.length > limit ? `${text.slice(0, limit - 1)}…` : text;
}

/** The first bytes of a leaf in hex. */
export function bytesText(source: ByteSource, { offset, size }: LeafEvent, limit: number): string {
  const bytes = source.read(offset, Math.min(size, limit));
  const hex = hexOf(bytes);
  return size > limit ? `${hex}…` : hex;
}

export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The bytes of a blob without its length. */
export function contentOf(leaf: LeafEvent): { readonly offset: number; readonly size: number } {
  const lengthSize = leaf.kind === "blob" ? 4 : 0;
  return { offset: leaf.offset + lengthSize, size: leaf.size - lengthSize };
}
