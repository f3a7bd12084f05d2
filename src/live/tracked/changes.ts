/**
 * What has changed in a map since a moment, so that a copy of that moment can be brought up to date: first everything
 * goes if `cleared`, then `removed`, then `set` is set in its order. Keys that are new are in `removed` too: set anew,
 * they stand at the end, as they do in the original.
 */
export class Changes<K> {
  cleared = false;
  readonly removed = new Set<K>();
  readonly set = new Set<K>();

  get size(): number {
    return this.removed.size + this.set.size;
  }

  noteSet(key: K, isNew: boolean): void {
    if (isNew) {
      this.removed.add(key);
      this.set.delete(key); // to the end
    }
    this.set.add(key);
  }

  noteDelete(key: K): void {
    this.removed.add(key);
    this.set.delete(key);
  }

  noteClear(): void {
    this.cleared = true;
    this.removed.clear();
    this.set.clear();
  }
}
