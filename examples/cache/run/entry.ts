/** The entries of the example: a value is made from its key's number, so that whoever reads it knows what it has to be. */
export const VALUE_BYTES = 32 * 1024;

const block = Buffer.alloc(2 * VALUE_BYTES, "kstate keeps what is in folios where it is. ");

export function entryKey(number: number): string {
  return `entry-${number}`;
}

/** The value of an entry: its number, and bytes that depend on it. */
export function entryValue(number: number): Buffer {
  const value = Buffer.from(block.subarray(number % 997, (number % 997) + VALUE_BYTES));
  value.writeUInt32LE(number, 0);
  value.writeUInt32LE(number, VALUE_BYTES - 4);
  return value;
}

/** Whether a value is that of an entry. */
export function isEntryValue(number: number, value: Buffer): boolean {
  return value.equals(entryValue(number));
}
