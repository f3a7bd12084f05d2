/**
 * Where objects of a list stand, found by a number that each of them holds: while a list is filled in one go, it tells
 * whether the object whose turn it is was met before. Slots are the number's lowest bits, so numbers that go up along
 * the list are looked up along the table; whoever shares a slot is chained.
 */
export class Places {
  /** The place after the last one of each slot; 0 if there is none. */
  table = new Int32Array(1024);
  /** The place after the one before in the same slot. */
  next = new Int32Array(1024);

  /** Begins a list of so many objects; gives the mask of slots. */
  begin(count: number): number {
    const size = count < 2 ? 2 : 1 << (32 - Math.clz32(count - 1));
    if (this.table.length < size) {
      this.table = new Int32Array(size);
      this.next = new Int32Array(size);
    } else this.table.fill(0, 0, size);
    return size - 1;
  }

  /** What is large is not kept. */
  end(): void {
    if (this.table.length <= keptLimit) return;
    this.table = new Int32Array(1024);
    this.next = new Int32Array(1024);
  }
}

const keptLimit = 1 << 21;
/** Lists longer than that are not told apart by places. */
export const placesLimit = 1 << 28;
