/**
 * Where physical memory comes from. One contract suite (`test/memory/back-ends.test.ts`) runs on all of them.
 * Offsets and lengths are multiples of the page size.
 */
export interface BackEnd {
  readonly name: string;
  /** Size in bytes; it does not change. */
  readonly capacity: number;
  /** The descriptor by which another program gets the same memory; -1 when it can not. */
  readonly descriptor: number;
  /** Maps a range, shared. The mapping is never undone: views of it may outlive anything. */
  map(offset: number, lengthBytes: number, access: Access): Mapping;
  /** Gives a range its pages, so that no later store fails. `MEMORY_FULL` says which limit is in the way. */
  allocate(offset: number, lengthBytes: number): void;
  /** Takes a range's pages away; it reads as zeros afterwards. */
  release(offset: number, lengthBytes: number): void;
  /** Returns when what was stored in a range would outlast a power failure, on media that outlast one. */
  persist(offset: number, lengthBytes: number): void;
  close(): void;
}

export type Access = "read" | "write";

/** A mapped range. Whoever changes its access changes that of all its views. */
export interface Mapping {
  /** Bytes of a part of it, at most 4 GiB. V8 counts them as the program's own: many or large ones make it collect garbage. */
  view(offset: number, lengthBytes: number): Uint8Array<ArrayBuffer>;
  /**
   * The part that is window `number` of 4 GiB, in a buffer that V8 does not count where that can be had; made when it is
   * first asked for, the same one every time.
   */
  window(number: number): ArrayBufferLike;
  /** Lets a range that was mapped for reading be written. */
  allowWrites(): void;
  /** Undoes {@link allowWrites}. */
  forbidWrites(): void;
  /** Cuts the range off from the shared memory: what is stored from now on is seen by nobody else. */
  fence(): void;
  /** Undoes {@link fence}: what was stored meanwhile is gone. */
  unfence(): void;
}
