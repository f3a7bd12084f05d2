import { type FieldRecord, fieldsIn, type KindRecord, kindText } from "../description/index.ts";
import { Damage } from "./byte-window.ts";

/** Steps that any stream may take, however short it is. */
const leastSteps = 1_000_000;
/** Steps for each byte more. A described value takes some; values that take no bytes are what is limited. */
const stepsPerByte = 64;

/**
 * How much walking over a stream may cost: so much for each of its bytes. A lock record that came with the stream can ask
 * for far more than that from a few bytes, by arrays of elements without bytes and by products of counts.
 */
export class Work {
  readonly #most: number;
  /** Taken so far. */
  steps = 0;
  /** What was found out of a record, for the version that was asked for last. */
  readonly #present = new WeakMap<
    readonly FieldRecord[],
    { readonly versionId: number; readonly fields: readonly FieldRecord[] }
  >();
  readonly #texts = new WeakMap<KindRecord, { readonly versionId: number; readonly text: string }>();

  constructor(streamSize: number) {
    this.#most = leastSteps + streamSize * stepsPerByte;
  }

  spend(steps: number, offset: number): void {
    this.steps += steps;
    if (this.steps <= this.#most) return;
    throw new Damage(offset, "the descriptions ask for far more values than so few bytes can hold");
  }

  /** The fields of a version. */
  fieldsIn(fields: readonly FieldRecord[], versionId: number, offset: number): readonly FieldRecord[] {
    let found = this.#present.get(fields);
    if (found?.versionId !== versionId) {
      this.spend(fields.length, offset);
      found = { versionId, fields: fieldsIn(fields, versionId) };
      this.#present.set(fields, found);
    }
    return found.fields;
  }

  /** A kind in one line. */
  kindText(kind: KindRecord, versionId: number, offset: number): string {
    let found = this.#texts.get(kind);
    if (found?.versionId !== versionId) {
      found = { versionId, text: kindText(kind, versionId) };
      this.spend(found.text.length >> 3, offset);
      this.#texts.set(kind, found);
    }
    return found.text;
  }
}
