/** Whether two values without described objects in them are the same: scalars, bytes, dates, lists, boxes. */
export function isEqualValue(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (a instanceof Date || b instanceof Date) {
    return a instanceof Date && b instanceof Date && Object.is(a.getTime(), b.getTime());
  }
  if (isListLike(a) && isListLike(b)) {
    return a.length === b.length && Array.from(a).every((value, i) => isEqualValue(value, b[i]));
  }
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) =>
    isEqualValue((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]),
  );
}

function isListLike(value: object): value is ArrayLike<unknown> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}
