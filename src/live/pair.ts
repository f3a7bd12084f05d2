import { type ErrorRecord, fromErrorRecord, KstateError } from "../error/index.ts";
import { MAX_DESCRIPTORS, MAX_MESSAGE_BYTES, POLL } from "../memory/index.ts";
import { type FrozenRecord, PAIR, type SliceRecord, SUCCESSOR_ENDED } from "./protocol.ts";
import type { LiveSystem } from "./system.ts";

/** How long a sender rests before it tries once more, ms. */
const SEND_AGAIN_MS = 1;

/** How long `frozen` is looked for without sleeping: waking up would take a small state's whole blackout. */
const WATCH_NS = 5_000_000n;

/** The most that {@link Pair.sendSample} takes. */
export const SAMPLE_BYTES = MAX_MESSAGE_BYTES / 2;

/** One end of the pair between the old program and its successor. All calls block, up to a deadline. */
export class Pair {
  readonly #system: LiveSystem;
  readonly #fd: number;

  constructor(system: LiveSystem, fd: number) {
    this.#system = system;
    this.#fd = fd;
  }

  close(): void {
    this.#system.close(this.#fd);
  }

  /** Announces a slice, or with null that there are no more. `UPDATE_CANCELLED` when the successor has ended. */
  sendSlice(slice: SliceRecord | null): void {
    const message = slice === null ? Uint8Array.of(PAIR.sliced) : encode(PAIR.slice, slice);
    if (this.#system.send(this.#fd, message, []) !== "sent") throw cancelled(SUCCESSOR_ENDED);
  }

  /** The next slice, if one has come; whatever ends the old program ends them too. */
  receiveSlice(): SliceRecord | "none" | "ended" {
    const message = this.#system.receive(this.#fd);
    if (message === "empty") return "none";
    if (message === "closed" || message.payload[0] !== PAIR.slice) return "ended";
    return decode(message.payload) as SliceRecord;
  }

  /** Says that a slice has been taken, and its memory is not read any more. */
  sendTaken(): void {
    this.#system.send(this.#fd, Uint8Array.of(PAIR.taken), []);
  }

  /** Whether another slice has been taken; throws the successor's refusal, or `UPDATE_CANCELLED` when it has ended. */
  receiveTaken(): boolean {
    const message = this.#system.receive(this.#fd);
    if (message === "empty") return false;
    if (message === "closed") throw cancelled(SUCCESSOR_ENDED);
    if (message.payload[0] === PAIR.refused) throw fromErrorRecord(decode(message.payload) as ErrorRecord);
    return true;
  }

  /** Sends a stream of at most {@link SAMPLE_BYTES} to warm up with; nobody misses it if there is no room. */
  sendSample(stream: Uint8Array): void {
    const message = new Uint8Array(1 + stream.length);
    message[0] = PAIR.sample;
    message.set(stream, 1);
    this.#system.send(this.#fd, message, []);
  }

  /** The sample, if one was sent. Whatever was sent before the hand-over is read with it. */
  receiveSample(): Uint8Array | undefined {
    for (;;) {
      const message = this.#system.receive(this.#fd);
      if (message === "empty" || message === "closed") return undefined;
      if (message.payload[0] === PAIR.sample) return message.payload.subarray(1);
    }
  }

  /** Says that `frozen` is about to come: the successor looks for it without sleeping. */
  sendFreezing(): void {
    this.#system.send(this.#fd, Uint8Array.of(PAIR.freezing), []);
  }

  /** Sends descriptors in order, then what the successor has to know; `UPDATE_CANCELLED` if it is gone or silent. */
  sendFrozen(descriptors: readonly number[], record: FrozenRecord, deadlineNs: bigint): void {
    for (let at = 0; at < descriptors.length; at += MAX_DESCRIPTORS) {
      this.#send(Uint8Array.of(PAIR.descriptors), descriptors.slice(at, at + MAX_DESCRIPTORS), deadlineNs);
    }
    this.#send(encode(PAIR.frozen, record), [], deadlineNs);
  }

  #send(payload: Uint8Array, descriptors: readonly number[], deadlineNs: bigint): void {
    for (let again = false; ; again = true) {
      const result = this.#system.send(this.#fd, payload, descriptors);
      if (result === "sent") return;
      if (result === "closed") throw cancelled(SUCCESSOR_ENDED);
      // The socket may have room all the same: it is the kernel that has none, for a while.
      if (again) this.#system.poll([{ fd: this.#fd, events: 0 }], SEND_AGAIN_MS);
      if (!this.#wait(POLL.out, deadlineNs))
        throw cancelled("the successor did not read its connections in time");
    }
  }

  /** Tells the other side what was decided; it can be gone already. */
  sendVerdict(error: ErrorRecord | null): void {
    this.#system.send(
      this.#fd,
      error === null ? Uint8Array.of(PAIR.committed) : encode(PAIR.refused, error),
      [],
    );
  }

  /** Receives what the old program sends until it has frozen; `UPDATE_CANCELLED` if it does not. */
  receiveFrozen(deadlineNs: bigint): { descriptors: number[]; record: FrozenRecord } {
    const descriptors: number[] = [];
    let watchUntilNs = 0n;
    try {
      for (;;) {
        const message = this.#system.receive(this.#fd);
        if (message === "closed") throw cancelled("the old program went on, or ended");
        if (message === "empty") {
          if (this.#system.nowNs() < watchUntilNs) continue;
          if (!this.#wait(POLL.in, deadlineNs)) throw cancelled("the old program did not freeze in time");
          continue;
        }
        descriptors.push(...message.descriptors);
        if (message.payload[0] === PAIR.freezing) watchUntilNs = this.#system.nowNs() + WATCH_NS;
        if (message.payload[0] === PAIR.frozen)
          return { descriptors, record: decode(message.payload) as FrozenRecord };
      }
    } catch (error) {
      for (const descriptor of descriptors) this.#system.close(descriptor);
      throw error;
    }
  }

  /**
   * Waits for the successor's word. Returns when it has committed or the time is over; throws its refusal, or
   * `UPDATE_CANCELLED` when it has ended. What was decided is in the verdict word alone.
   */
  receiveVerdict(deadlineNs: bigint): void {
    while (this.#wait(POLL.in, deadlineNs)) {
      const message = this.#system.receive(this.#fd);
      if (message === "empty") continue;
      if (message === "closed") throw cancelled(SUCCESSOR_ENDED);
      if (message.payload[0] === PAIR.refused) throw fromErrorRecord(decode(message.payload) as ErrorRecord);
      return;
    }
  }

  /** Waits until the other side has let go of its end, or the time is over. */
  awaitEnd(deadlineNs: bigint): void {
    while (this.#wait(POLL.in, deadlineNs)) if (this.#system.receive(this.#fd) === "closed") return;
  }

  /** Whether there was an event before the deadline; a signal that interrupts the wait does not end it. */
  #wait(events: number, deadlineNs: bigint): boolean {
    for (;;) {
      const leftMs = Number(deadlineNs - this.#system.nowNs()) / 1e6;
      if (leftMs <= 0) return false;
      if (this.#system.poll([{ fd: this.#fd, events }], leftMs)[0] !== 0) return true;
    }
  }
}

function encode(type: number, record: FrozenRecord | ErrorRecord | SliceRecord): Uint8Array {
  const message = Buffer.from(` ${JSON.stringify(record)}`);
  message[0] = type;
  return message;
}

function decode(payload: Uint8Array): unknown {
  return JSON.parse(Buffer.from(payload).toString("utf8", 1));
}

function cancelled(reason: string): KstateError {
  return new KstateError("UPDATE_CANCELLED", `cannot hand over: ${reason}`, { reason });
}
