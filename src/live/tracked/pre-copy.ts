/**
 * Sends the tracked maps of a program that serves to its successor that waits, as a virtual machine's memory is sent
 * before it is stopped: all entries once, then round after round what has changed during the round before, until little
 * is left or it does not get less. The freeze sends the rest.
 *
 * Slices are streams in the memory, announced on the pair; the successor says when it has taken one, and the room is
 * used again. A turn of the event loop sends one slice, of about {@link SLICE_MS}. Nothing is changed but notes, so the
 * undo is to forget them.
 */
import { setImmediate, setTimeout } from "node:timers/promises";
import type { VersionIds } from "../../description/index.ts";
import { KstateError } from "../../error/index.ts";
import type { Folio, PhysicalMemory } from "../../memory/index.ts";
import type { Pair } from "../pair.ts";
import type { PreCopyRound } from "../protocol.ts";
import type { Changes } from "./changes.ts";
import { type AnyTrackedMap, SliceCodec } from "./slice.ts";
import type { TrackedRecord } from "./tracked-map.ts";

/** How long a serving program is kept from its clients at a time, ms. */
const SLICE_MS = 2;
const SLICE_BYTES = 1024 * 1024;
/** Slices that the successor may be behind. */
const WINDOW = 4;
const ENTRIES = { first: 256, least: 16, most: 20_000 } as const;
/** What is left to the freeze without another round. */
const SMALL = 500;
const MAX_ROUNDS = 12;
/** How long the successor may take for one slice, ms. */
const PATIENCE_MS = 10_000;

export interface PreCopyContext {
  readonly memory: PhysicalMemory;
  readonly pair: Pair;
  readonly base: number;
  readonly versionIds: VersionIds;
  readonly signal: AbortSignal;
  readonly progress: (text: string) => void;
}

/** What has been sent, and the notes of what has changed since. */
export interface PreCopied {
  readonly rounds: readonly PreCopyRound[];
  /** For the freeze: the maps' records have only what the successor has not. */
  present(): void;
  /** The maps' records have everything again, and still note what changes. */
  presentAll(): void;
  /** Forgets it all: there is no successor any more. */
  end(): void;
}

/** Sends maps until little is left. When it fails, nothing is noted any more. */
export async function preCopy(maps: readonly AnyTrackedMap[], context: PreCopyContext): Promise<PreCopied> {
  const end = (): void => {
    for (const map of maps) map.endRounds();
  };
  try {
    const rounds = await sendRounds(maps, context);
    return {
      rounds,
      present: () => {
        for (const map of maps) map.presentChanges(context.base);
      },
      presentAll: () => {
        for (const map of maps) map.presentAll();
      },
      end,
    };
  } catch (error) {
    end();
    throw error;
  }
}

async function sendRounds(maps: readonly AnyTrackedMap[], context: PreCopyContext): Promise<PreCopyRound[]> {
  const sender = new Sender(context);
  const codecs = maps.map((map) => new SliceCodec(map));
  const rounds: PreCopyRound[] = [];
  try {
    for (let before = Number.POSITIVE_INFINITY; ; ) {
      const startMs = performance.now();
      const sent = { ...sender.sent };
      for (const codec of codecs) await sender.send(codec, codec.map.nextRound());
      const ms = performance.now() - startMs;
      const changed = maps.reduce((sum, map) => sum + map.changed, 0);
      const round = {
        entries: sender.sent.entries - sent.entries,
        bytes: sender.sent.bytes - sent.bytes,
        ms,
        changedPerSecond: (1000 * changed) / ms,
      };
      rounds.push(round);
      context.progress(
        `pre-copy round ${rounds.length}: ${round.entries} entries, ${round.bytes} bytes in ${Math.round(ms)} ms; ${changed} have changed`,
      );
      if (changed <= SMALL || changed > 0.7 * before || rounds.length === MAX_ROUNDS) break;
      before = changed;
    }
    await sender.finish();
    return rounds;
  } finally {
    sender.release();
  }
}

class Sender {
  readonly sent = { entries: 0, bytes: 0 };
  readonly #context: PreCopyContext;
  /** Rooms on their way, in order, and those that can be used. */
  readonly #away: Folio[] = [];
  readonly #here: Folio[] = [];
  #perSlice: number = ENTRIES.first;

  constructor(context: PreCopyContext) {
    this.#context = context;
  }

  /** Sends what has changed in a map, or all of it. */
  async send(codec: SliceCodec, changes: Changes<unknown> | undefined): Promise<void> {
    if (changes === undefined) {
      await this.#sendSlice(codec, {}, 0); // begins the copy, also of a map without entries
      return this.#sendEntries(codec, codec.map.entries());
    }
    if (changes.cleared) await this.#sendSlice(codec, { cleared: true }, 0);
    const removed = [...changes.removed];
    for (let at = 0; at < removed.length; ) {
      const slice = removed.slice(at, at + this.#perSlice);
      at += slice.length;
      await this.#sendSlice(codec, { removed: slice }, slice.length);
    }
    await this.#sendEntries(codec, present(codec.map, changes.set));
  }

  /** The iterator is one that goes on over what changes between its steps. */
  async #sendEntries(codec: SliceCodec, all: Iterator<[unknown, unknown]>): Promise<void> {
    for (let next = all.next(); next.done !== true; ) {
      const entries = new Map<unknown, unknown>();
      for (; next.done !== true && entries.size < this.#perSlice; next = all.next())
        entries.set(...next.value);
      await this.#sendSlice(codec, { entries }, entries.size);
    }
  }

  async #sendSlice(
    codec: SliceCodec,
    slice: Partial<TrackedRecord<unknown, unknown>>,
    size: number,
  ): Promise<void> {
    const { memory, pair, base, versionIds } = this.#context;
    const room = await this.#room();
    const startMs = performance.now();
    const { folio, length } = codec.write(slice, versionIds, room, memory);
    this.#away.push(folio);
    pair.sendSlice({ map: codec.map.name, base, address: Number(folio.address), length });
    this.sent.entries += size;
    this.sent.bytes += length;
    const ms = performance.now() - startMs;
    const fitting = Math.round((size * SLICE_MS) / Math.max(ms, 0.01));
    if (size === this.#perSlice || ms > SLICE_MS)
      this.#perSlice = Math.min(ENTRIES.most, Math.max(ENTRIES.least, Math.min(fitting, 2 * this.#perSlice)));
    await setImmediate();
    this.#context.signal.throwIfAborted();
  }

  async #room(): Promise<Folio> {
    await this.#taken(WINDOW - 1);
    return this.#here.pop() ?? this.#context.memory.alloc(SLICE_BYTES);
  }

  /** Waits until at most `behind` slices are on their way. */
  async #taken(behind: number): Promise<void> {
    const deadlineMs = performance.now() + PATIENCE_MS;
    for (;;) {
      while (this.#away.length > 0 && this.#context.pair.receiveTaken()) this.#here.push(this.#away.shift()!);
      if (this.#away.length <= behind) return;
      if (performance.now() > deadlineMs) throw tooSlow();
      await setTimeout(1);
      this.#context.signal.throwIfAborted();
    }
  }

  /** The successor has taken everything. */
  finish(): Promise<void> {
    return this.#taken(0);
  }

  release(): void {
    const { memory } = this.#context;
    for (const folio of [...this.#away.splice(0), ...this.#here.splice(0)]) memory.free(folio);
  }
}

function* present(map: AnyTrackedMap, keys: Iterable<unknown>): Generator<[unknown, unknown]> {
  for (const key of keys) if (map.has(key)) yield [key, map.get(key)];
}

function tooSlow(): KstateError {
  return new KstateError(
    "UPDATE_TIMEOUT",
    `the successor took more than ${PATIENCE_MS} ms for a slice of a tracked map; the running program goes on`,
    { phase: "pre-copy", timeoutMs: PATIENCE_MS },
  );
}
