/**
 * What a load has filled so far. Objects, lists, sets, maps and bytes that are there are filled in again, but each for
 * one place of the stream only: where a second place has the same one, it gets one of its own, or the first would hold
 * what the second was given.
 *
 * An object stands for its members, a list, set or map for its elements, a view for the bytes that it covers, so that
 * views which overlap are found too.
 */

import { RangeClaims } from "./range-claims.ts";
import { isSparse } from "./sparse-list.ts";

/** A list whose first objects are claimed without being in the set. */
export interface MarkedObjects {
  readonly list: readonly unknown[];
  count: number;
}

/** So many registered objects are looked for in a list. */
const searchLimit = 8;

export class Claims {
  /** Filled by generated code. */
  readonly marked: MarkedObjects[] = [];
  readonly #objects = new Set<object>();
  readonly #elements = new Set<object>();
  readonly #empty: object[] = [];
  readonly #ranges = new RangeClaims();
  readonly #roots: object[] = [];
  readonly #rootsWith = new Map<string, readonly object[]>();

  /** Claims what is registered, which belongs to its section before anything is filled. */
  roots(objects: Iterable<object>): void {
    for (const root of objects) if (isAdded(this.#objects, root)) this.#roots.push(root);
    this.#rootsWith.clear();
  }

  /** Claims an object for its members. */
  object(existing: unknown): boolean {
    if (typeof existing !== "object" || existing === null) return false;
    for (let marked = this.marked.pop(); marked !== undefined; marked = this.marked.pop()) {
      for (let i = 0; i < marked.count; i++) this.#objects.add(marked.list[i] as object);
    }
    return isAdded(this.#objects, existing);
  }

  /**
   * Claims a list, a set or a map that has so many elements, to be given so many others. Those that are empty and stay
   * so wait: there may be millions, and nobody would see it before an empty one is filled.
   */
  elements(existing: object, size: number, count: number): boolean {
    if (size === 0) {
      if (count === 0) {
        this.#empty.push(existing);
        return true;
      }
      for (let empty = this.#empty.pop(); empty !== undefined; empty = this.#empty.pop())
        this.#elements.add(empty);
    }
    return isAdded(this.#elements, existing);
  }

  /** Claims the bytes that a view covers. */
  bytes(existing: ArrayBufferView): boolean {
    return this.#ranges.claim(existing);
  }

  /**
   * Whether objects of this list need only be told from each other: nothing but what is registered was claimed yet, and
   * that is not in the list, as far as its objects have this member.
   */
  mayMark(list: readonly unknown[], member: string): boolean {
    if (this.#objects.size > this.#roots.length || this.marked.length > 0) return false;
    let roots = this.#rootsWith.get(member);
    if (roots === undefined) {
      roots = this.#roots.filter((root) => member in root);
      this.#rootsWith.set(member, roots);
    }
    return roots.length <= searchLimit && !isSparse(list) && !roots.some((root) => list.includes(root));
  }
}

/** Whether an object was not there. */
function isAdded(set: Set<object>, object: object): boolean {
  const { size } = set;
  return set.add(object).size > size;
}
