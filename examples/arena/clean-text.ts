/**
 * Text from outside, cut to a number of UTF-16 units, each of at most 3 bytes in UTF-8. Halves of characters,
 * which no stream can hold, become U+FFFD here rather than stopping an update.
 */
export function cleanText(value: unknown, maxUnits: number): string {
  return Buffer.from(String(value ?? "").slice(0, maxUnits)).toString();
}
