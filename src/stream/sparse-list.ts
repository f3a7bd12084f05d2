/** Shorter lists are walked, whatever they are. */
const WALKED_LENGTH = 100_000;
const PROBES = 64;

/**
 * Whether a list is so long and has so many holes that a walk over its length would never end: `a[1e8] = 1`. A few places
 * are looked at, so one with few holes may count as whole.
 */
export function isSparse(list: readonly unknown[]): boolean {
  const { length } = list;
  if (length <= WALKED_LENGTH) return false;
  for (let probe = 0; probe < PROBES; probe++)
    if (!(Math.floor((probe * length) / PROBES) in list)) return true;
  return false;
}

/** The indices of the elements that are there, in rising order. */
export function indicesOf(list: readonly unknown[]): readonly number[] {
  const indices: number[] = [];
  for (const name of Object.keys(list)) {
    const index = Number(name);
    if (!Number.isInteger(index) || index < 0 || index >= list.length) break; // names come after all indices
    indices.push(index);
  }
  return indices;
}
