import { KstateError, toErrorRecord } from "../../error/index.ts";
import type { PhysicalMemory } from "../../memory/index.ts";
import type { Pair } from "../pair.ts";
import { type AnyTrackedMap, SliceCodec } from "./slice.ts";

/** How often a successor looks for the first slice, ms. */
const LOOK_MS = 5;

/**
 * Takes slices in a successor that waits in `ready()`. No event loop reads the pair, so it is looked at; when the sender
 * has said that there are no more, it is not looked at again: what comes then is the hand-over's.
 */
export class PreCopyReceiver {
  readonly #codecs: ReadonlyMap<string, SliceCodec>;
  readonly #memory: PhysicalMemory;
  readonly #pair: Pair;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;

  constructor(maps: readonly AnyTrackedMap[], memory: PhysicalMemory, pair: Pair) {
    this.#codecs = new Map(maps.map((map) => [map.name, new SliceCodec(map)]));
    this.#memory = memory;
    this.#pair = pair;
    if (maps.length > 0) this.#lookLater(false);
  }

  /** Stops looking. */
  end(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
  }

  #lookLater(soon: boolean): void {
    if (soon) this.#immediate = setImmediate(() => this.#look());
    else this.#timer = setTimeout(() => this.#look(), LOOK_MS);
  }

  #look(): void {
    const slice = this.#pair.receiveSlice();
    if (slice === "ended") return;
    if (slice === "none") return this.#lookLater(false);
    try {
      const codec = this.#codecs.get(slice.map);
      if (codec === undefined) throw unknownMap(slice.map);
      codec.read(this.#memory.bytesAt(slice.address, slice.length), slice.base);
      this.#pair.sendTaken();
      this.#lookLater(true);
    } catch (error) {
      this.#pair.sendVerdict(toErrorRecord(error)); // the old program goes on, and says why
    }
  }
}

function unknownMap(name: string): KstateError {
  return new KstateError("PROTOCOL_ERROR", `a slice came for the tracked map ${name}, which is not here`, {
    problem: "unknown map",
  });
}
