import type { BackEnd } from "./back-end.ts";

/** Memory of this program alone, for programs without a supervisor, tests and other systems; at most 4 GiB. */
export function createHeap(capacity: number): BackEnd {
  const buffer = new ArrayBuffer(capacity);
  return {
    name: "heap",
    capacity,
    descriptor: -1,
    map: (start) => ({
      view: (offset, lengthBytes) => new Uint8Array(buffer, start + offset, lengthBytes),
      window: () => buffer,
      allowWrites: () => {},
      forbidWrites: () => {},
      fence: () => {},
      unfence: () => {},
    }),
    allocate: () => {},
    release: (offset, lengthBytes) => void new Uint8Array(buffer, offset, lengthBytes).fill(0),
    persist: () => {},
    close: () => {},
  };
}
