import { blob, defineState, string, u32 } from "../description/index.ts";
import {
  CHECKPOINT,
  createHeap,
  createMemfd,
  HANDOVER,
  openArray,
  openMap,
  PAGE_SIZE,
  PhysicalMemory,
} from "../memory/index.ts";

const CAPACITY = 1024 * 1024;

/** One hand-over of made-up memory: what the old program does with it, then what its successor does. */
export function warmMemory(): () => void {
  const memory = PhysicalMemory.create(createMemfd(CAPACITY));
  const openCollections = warmCollections();
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
    openCollections();
  };
}

const KEY = "key";
const row = defineState({ name: "kstate_warm_up", id: 1, fields: [["n", u32]] });
const mapOptions = { key: string({ max: 16 }), value: blob({ max: 16 }) };

/** Opens an array and a map as the next program does; the memory is a heap, of which every mapping is the same. */
function warmCollections(): () => void {
  const backEnd = createHeap(CAPACITY);
  const memory = PhysicalMemory.create(backEnd);
  openArray(memory, "array", row).append({ n: 1 });
  openMap(memory, "map", mapOptions).set(KEY, new Uint8Array(8));
  return () => {
    const next = PhysicalMemory.attach(backEnd);
    next.own({ sweep: false });
    openArray(next, "array", row).get(0);
    openMap(next, "map", mapOptions).get(KEY);
  };
}
