import { closeDescriptor, duplicate, openDescriptor, PhysicalMemory } from "../memory/index.ts";
import type { Carrier, Stored, StoreOptions, Waiting } from "./carrier.ts";
import { bootId, Image, type ImageFacts } from "./image.ts";
import { inOneTurn, inTurns, type Steps } from "./steps.ts";

/**
 * The memory itself, by its descriptor: nothing is copied. It is there as long as some process holds the descriptor: a
 * supervisor between two programs, or systemd's descriptor store between two supervisors.
 */
export function processCarrier(descriptor?: number): Carrier {
  return new ProcessCarrier(descriptor);
}

class ProcessCarrier implements Carrier {
  readonly name = "process:memfd";
  #descriptor: number | undefined;

  constructor(descriptor: number | undefined) {
    this.#descriptor = descriptor;
  }

  store(memory: PhysicalMemory, facts: ImageFacts, { signal }: StoreOptions = {}): Promise<Stored> {
    return inTurns(this.#storing(memory, facts), signal);
  }

  storeNow(memory: PhysicalMemory, facts: ImageFacts): Stored {
    return inOneTurn(this.#storing(memory, facts));
  }

  *#storing(memory: PhysicalMemory, facts: ImageFacts): Steps<Stored> {
    const { record } = yield* Image.take(memory, facts, "none");
    const descriptor = duplicate(memory.descriptor);
    this.#close();
    this.#descriptor = descriptor;
    return { name: this.name, record, isHeld: true, discard: () => this.#close() };
  }

  find(): Waiting | undefined {
    if (this.#descriptor === undefined) return undefined;
    const memory = PhysicalMemory.attach(openDescriptor(duplicate(this.#descriptor)));
    const { state, generation, capacity } = memory.superblock();
    if (state !== "CLEAN") return undefined;
    const texts = { id: "", service: "", host: "", savedAt: "", digest: "none" } as const;
    return {
      name: this.name,
      record: { ...texts, bootId: bootId(), generation, capacity, sizeBytes: capacity },
      isHeld: true,
      restore: () => memory,
      finish: () => this.#close(),
    };
  }

  #close(): void {
    if (this.#descriptor !== undefined) closeDescriptor(this.#descriptor);
    this.#descriptor = undefined;
  }
}
