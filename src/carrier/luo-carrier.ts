import { KstateError } from "../error/index.ts";
import { type BackEnd, createMemfd, openDescriptor, type PhysicalMemory } from "../memory/index.ts";
import { copyImage, mappedSource } from "./byte-places.ts";
import type { Carrier, Stored, StoreOptions, StoreProgress, Waiting } from "./carrier.ts";
import { Image, type ImageFacts } from "./image.ts";
import { ImageReader } from "./image-reader.ts";
import { type LuoSystem, luoSystem } from "./luo-system.ts";
import { inOneTurn, inTurns, type Steps } from "./steps.ts";

/** The one thing in a session. */
const TOKEN = 0x474d494b;

/**
 * A session of the Live Update Orchestrator (Linux 6.19 and newer): memory that the next kernel finds where this one
 * left it, after a kexec. The image is a memfd of its own, as a sparse one comes back with all its pages.
 *
 * ```
 * store    copy into a memfd → create the session → preserve; the session is held until the reboot    undo: close it
 * find     retrieve the session and the memfd; the session is held until `finish`
 * finish   the kernel lets go of it. A holder that ends before that loses it.
 * ```
 */
export function luoCarrier(session: string, system: LuoSystem = luoSystem): Carrier {
  return new LuoCarrier(session, system);
}

class LuoCarrier implements Carrier {
  readonly name: string;
  readonly #session: string;
  readonly #system: LuoSystem;

  constructor(session: string, system: LuoSystem) {
    this.name = `luo:${session}`;
    this.#session = session;
    this.#system = system;
  }

  store(memory: PhysicalMemory, facts: ImageFacts, options: StoreOptions = {}): Promise<Stored> {
    return inTurns(this.#storing(memory, facts, options.progress), options.signal);
  }

  storeNow(memory: PhysicalMemory, facts: ImageFacts): Stored {
    return inOneTurn(this.#storing(memory, facts));
  }

  *#storing(memory: PhysicalMemory, facts: ImageFacts, progress?: StoreProgress): Steps<Stored> {
    const image = yield* Image.take(memory, facts, "none");
    const backEnd = createMemfd(Math.ceil(image.record.sizeBytes / 4096) * 4096);
    try {
      yield* copyImage(backEnd, image, progress);
      const session = this.#attempt("keep the state in", () => this.#preserve(backEnd.descriptor));
      return {
        name: this.name,
        record: image.record,
        isHeld: true,
        discard: () => {
          this.#system.close(session);
          release(backEnd);
        },
      };
    } catch (error) {
      release(backEnd);
      throw error;
    }
  }

  #preserve(memfd: number): number {
    const device = this.#system.open();
    try {
      const session = this.#system.createSession(device, this.#session);
      try {
        this.#system.preserve(session, memfd, TOKEN);
        return session;
      } catch (error) {
        this.#system.close(session);
        throw error;
      }
    } finally {
      this.#system.close(device);
    }
  }

  find(): Waiting | undefined {
    const session = this.#attempt("resume from", () => this.#retrieveSession());
    if (session === undefined) return undefined;
    const memfd = this.#attempt("resume from", () => this.#system.retrieve(session, TOKEN));
    const read = (): ImageReader => new ImageReader(mappedSource(this.name, openDescriptor(memfd)));
    return {
      name: this.name,
      record: read().record,
      isHeld: true,
      restore: () => {
        const reader = read();
        return reader.restore(createMemfd(reader.record.capacity));
      },
      finish: () => {
        this.#system.finish(session);
        this.#system.close(session);
        release(openDescriptor(memfd));
      },
    };
  }

  #retrieveSession(): number | undefined {
    const device = this.#system.open();
    try {
      return this.#system.retrieveSession(device, this.#session);
    } finally {
      this.#system.close(device);
    }
  }

  #attempt<T>(what: string, step: () => T): T {
    try {
      return step();
    } catch (cause) {
      const problem = cause instanceof Error ? cause.message : String(cause);
      throw new KstateError(
        "CARRIER_FAILED",
        `cannot ${what} ${this.name}: ${problem}`,
        { carrier: this.name, problem },
        { cause },
      );
    }
  }
}

/** Gives the pages of a copy back: its mapping stays, as every mapping does. */
function release(backEnd: BackEnd): void {
  backEnd.release(0, backEnd.capacity);
  backEnd.close();
}
