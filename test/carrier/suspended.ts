import { createMemfd, HANDOVER, PhysicalMemory } from "#src/memory/index.js";

/** A memory like that of a suspended service: a stream, a folio that is full, and one that is nearly empty. */
export function suspendedMemory(generation = 3, capacity = 32 * 1024 * 1024): PhysicalMemory {
  const memory = PhysicalMemory.create(createMemfd(capacity));
  const full = memory.alloc(100_000, "full");
  full.bytes.forEach((_, index, bytes) => {
    bytes[index] = (index * 7 + generation) & 0xff;
  });
  const sparse = memory.alloc(9 * 1024 * 1024, "sparse");
  sparse.bytes[5 * 1024 * 1024 + 17] = 99;
  memory.alloc(1024 * 1024).bytes.fill(1); // nobody keeps it
  const stream = memory.alloc(5000);
  stream.bytes.fill(0x5a, 0, 5000);
  memory.keepStream(HANDOVER, stream, 5000, generation, { state: "CLEAN" });
  return memory;
}

/** What a program would find in it. */
export function contentOf(memory: PhysicalMemory): unknown {
  const { state, generation, capacity } = memory.superblock();
  const { folios } = memory.preserved();
  return {
    state,
    generation,
    capacity,
    stream: Buffer.from(memory.stream(HANDOVER)?.bytes ?? []).toString("base64"),
    folios: folios.map(({ address, order, owner }) => {
      const bytes = Buffer.from(memory.bytesAt(address, 4096 * 2 ** order));
      const used = bytes.findIndex((byte) => byte !== 0);
      return { address, order, owner, used, sum: bytes.reduce((sum, byte) => (sum * 31 + byte) | 0, 0) };
    }),
  };
}
