import type { BackEnd } from "./back-end.ts";

/** Memory of this program alone, for programs without a supervisor, tests and other systems. */
export function createHeap(capacity: number): BackEnd {
  const buffer = new ArrayBuffer(capacity);
  return {
    name: "heap",
    capacity,
    descriptor: -1,
    map: (offset, lengthBytes) => {
      if (offset !== 0 || lengthBytes !== capacity) throw new RangeError("a heap is mapped as a whole");
      return { buffer, allowWrites: () => {}, fence: () => {}, unfence: () => {} };
    },
    allocate: () => {},
    release: (offset, lengthBytes) => void new Uint8Array(buffer, offset, lengthBytes).fill(0),
    persist: () => {},
    close: () => {},
  };
}
