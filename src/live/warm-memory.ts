import { CHECKPOINT, createMemfd, HANDOVER, PAGE_SIZE, PhysicalMemory } from "../memory/index.ts";

const CAPACITY = 1024 * 1024;

/** One hand-over of made-up memory: what the old program does with it, then what its successor does. */
export function warmMemory(): () => void {
  const memory = PhysicalMemory.create(createMemfd(CAPACITY));
  let generation = 0;
  return () => {
    generation += 1;
    memory.verdicts.open(generation);
    memory.keepStream(HANDOVER, memory.alloc(PAGE_SIZE), PAGE_SIZE, generation, {
      state: "PENDING",
      preserveInUse: true,
    });
    memory.superblock();
    memory.stream(HANDOVER);
    memory.verdicts.decide(generation, "COMMITTED");
    memory.fence();
    memory.unfence();
    memory.own({ sweep: false });
    memory.settle(CHECKPOINT);
    memory.freeUnclaimed();
  };
}
