/** Which bytes of which buffers a load has filled, so that no view is filled that covers one of them. */

/** Ranges are kept page by page, so that one more is put among few. */
const pageBytes = 65_536;

/** In place of pages: a view has all of the buffer. */
const whole: unique symbol = Symbol("whole");

/** Begins and ends, in turn and rising: ranges that do not overlap. */
type Ranges = number[];

export class RangeClaims {
  readonly #buffers = new Map<ArrayBufferLike, Map<number, Ranges> | typeof whole>();
  /** The page used last: views of one buffer mostly come one after the other. */
  #buffer: ArrayBufferLike | undefined;
  #page = -1;
  #ranges: Ranges = [];

  /** Whether nobody has one of the view's bytes yet; they are its own then. */
  claim({ buffer, byteOffset, byteLength }: ArrayBufferView): boolean {
    if (byteLength === 0) return true;
    const end = byteOffset + byteLength;
    const page = Math.floor(byteOffset / pageBytes);
    if (buffer === this.#buffer && page === this.#page && end <= (page + 1) * pageBytes) {
      return put(this.#ranges, byteOffset, end);
    }
    const known = this.#buffers.get(buffer);
    if (known === whole) return false;
    if (byteLength === buffer.byteLength) {
      if (known === undefined) this.#buffers.set(buffer, whole);
      return known === undefined;
    }
    return this.#claimIn(known ?? this.#pagesOf(buffer), buffer, byteOffset, end);
  }

  #pagesOf(buffer: ArrayBufferLike): Map<number, Ranges> {
    const pages = new Map<number, Ranges>();
    this.#buffers.set(buffer, pages);
    return pages;
  }

  #claimIn(pages: Map<number, Ranges>, buffer: ArrayBufferLike, start: number, end: number): boolean {
    const [first, last] = [Math.floor(start / pageBytes), Math.floor((end - 1) / pageBytes)];
    const from = (page: number) => Math.max(start, page * pageBytes);
    const to = (page: number) => Math.min(end, (page + 1) * pageBytes);
    for (let page = first; page <= last; page++) {
      const ranges = pages.get(page);
      if (ranges !== undefined && placeOf(ranges, from(page), to(page)) < 0) return false;
    }
    for (let page = first; page <= last; page++) {
      let ranges = pages.get(page);
      if (ranges === undefined) {
        ranges = [];
        pages.set(page, ranges);
      }
      put(ranges, from(page), to(page));
      this.#ranges = ranges;
    }
    this.#buffer = buffer;
    this.#page = last;
    return true;
  }
}

function put(ranges: Ranges, start: number, end: number): boolean {
  const { length } = ranges;
  if (length === 0 || start >= ranges[length - 1]!) {
    ranges.push(start, end);
    return true;
  }
  const place = placeOf(ranges, start, end);
  if (place < 0) return false;
  ranges.splice(place, 0, start, end);
  return true;
}

/** Where a range belongs among others; -1 if it overlaps one. */
function placeOf(ranges: Ranges, start: number, end: number): number {
  let [low, high] = [0, ranges.length / 2];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ranges[2 * middle]! < start) low = middle + 1;
    else high = middle;
  }
  if (low > 0 && ranges[2 * low - 1]! > start) return -1;
  return 2 * low < ranges.length && ranges[2 * low]! < end ? -1 : 2 * low;
}
