import { isKstateError, KstateError } from "../error/index.ts";
import { addSeals, allocateRange, createMemory, mapShared, punchHole, SEAL, setSize } from "./ffi/libc.ts";
import { DATA_ADDRESS, PAGE_SIZE, VERDICT_ADDRESS, VERDICT_COUNT } from "./layout.ts";
import { readSuperblock, type Superblock, writeSuperblock } from "./superblock.ts";
import { VerdictTable } from "./verdict.ts";

/**
 * The shared memory object that a supervisor holds and its programs map: a sparse memfd, sealed against
 * shrinking. Its layout is the contract in `layout.ts`.
 */
export class PhysicalMemory {
  /** The memfd; it belongs to this object and stays open. */
  readonly descriptor: number;
  readonly verdicts: VerdictTable;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  private constructor(descriptor: number, buffer: ArrayBuffer) {
    this.descriptor = descriptor;
    this.#bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
    this.verdicts = new VerdictTable(new Int32Array(buffer, VERDICT_ADDRESS, VERDICT_COUNT));
  }

  /** New memory of `capacity` bytes (a multiple of the page size, at most 4 GiB); pages exist once written. */
  static create(capacity: number): PhysicalMemory {
    if (capacity % PAGE_SIZE !== 0 || capacity <= DATA_ADDRESS || capacity > 2 ** 32) {
      throw new RangeError(
        `capacity must be a multiple of ${PAGE_SIZE} above ${DATA_ADDRESS} and at most 4 GiB`,
      );
    }
    const descriptor = createMemory("kstate");
    setSize(descriptor, capacity);
    addSeals(descriptor, SEAL.shrink | SEAL.grow | SEAL.seal);
    allocateRange(descriptor, 0, DATA_ADDRESS);
    const memory = new PhysicalMemory(descriptor, mapShared(descriptor, capacity));
    writeSuperblock(memory.#view, {
      state: "RUNNING",
      capacity,
      sequence: 1,
      generation: 0,
      streamAddress: 0,
      streamLength: 0,
    });
    return memory;
  }

  /** Maps memory that another program made; `MEMORY_INVALID` when it is not ours. */
  static attach(descriptor: number): PhysicalMemory {
    const { capacity } = readSuperblock(new DataView(mapShared(descriptor, DATA_ADDRESS)));
    return new PhysicalMemory(descriptor, mapShared(descriptor, capacity));
  }

  /** The newest valid superblock. */
  superblock(): Superblock {
    return readSuperblock(this.#view);
  }

  /** Makes `stream` the handover stream of a generation: state PENDING. `MEMORY_FULL` leaves all as it was. */
  preserve(stream: Uint8Array, generation: number): void {
    const before = this.superblock();
    const available = before.capacity - DATA_ADDRESS;
    if (stream.length > available) throw memoryFull(stream.length, `the memory holds ${available}`);
    try {
      allocateRange(this.descriptor, DATA_ADDRESS, stream.length);
    } catch (error) {
      if (isKstateError(error, "SYSTEM_CALL")) throw memoryFull(stream.length, error.message, error);
      throw error;
    }
    this.#bytes.set(stream, DATA_ADDRESS);
    this.#next({ state: "PENDING", generation, streamAddress: DATA_ADDRESS, streamLength: stream.length });
  }

  /** A view of the handover stream of a generation; `MEMORY_INVALID` when there is none. */
  preserved(generation: number): Uint8Array {
    const { state, generation: found, streamAddress, streamLength, capacity } = this.superblock();
    const inside = streamAddress >= DATA_ADDRESS && streamAddress + streamLength <= capacity;
    if (state !== "PENDING" || found !== generation || !inside) {
      throw new KstateError(
        "MEMORY_INVALID",
        `cannot take over generation ${generation}: the memory is ${state} in generation ${found}`,
        {},
      );
    }
    return this.#bytes.subarray(streamAddress, streamAddress + streamLength);
  }

  /** Drops the handover stream and gives its pages back: state RUNNING. After a commit and after a cancel. */
  unpreserve(): void {
    const { state, generation, streamAddress, streamLength } = this.superblock();
    if (state === "RUNNING") return;
    this.#next({ state: "RUNNING", generation, streamAddress: 0, streamLength: 0 });
    if (streamLength > 0) punchHole(this.descriptor, streamAddress, streamLength);
  }

  #next(changes: Omit<Superblock, "capacity" | "sequence">): void {
    const { capacity, sequence } = this.superblock();
    writeSuperblock(this.#view, { capacity, sequence: sequence + 1, ...changes });
  }
}

function memoryFull(bytes: number, why: string, cause?: unknown): KstateError {
  return new KstateError(
    "MEMORY_FULL",
    `cannot preserve a stream of ${bytes} bytes: ${why}`,
    { bytes },
    { cause },
  );
}
