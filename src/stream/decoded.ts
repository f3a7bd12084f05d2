/**
 * What a stream says, before anything is changed: values as they will be, and trees where objects will be filled
 * in. Which of these stands where follows from the kind.
 *
 *     struct, ref          Decoded (or null)         record, oneOf       DecodedFields
 *     list, set, array     array of values           map                 DecodedMap
 *     pointer              what its element gives    optional            null or the same
 *     everything else      the value itself
 */

import type { Description, FieldModel } from "../description/index.ts";
import type { Claims } from "./claims.ts";

/** In place of the value of a field that is not in the stream. */
export const absent: unique symbol = Symbol("absent");

/** What the one who fills objects must know about the rest of the load. */
export interface FillContext {
  readonly due: unknown[];
  readonly claims: Claims;
  readonly folioAt: (address: bigint) => unknown;
  /** Only to look at the result: no hooks, plain objects. */
  readonly isTrial: boolean;
  /** Values of `bytes` and `blob` are views of the stream. */
  readonly isZeroCopy: boolean;
  /** Throws `EQUAL_MISMATCH`. */
  assertEqual(description: Description, name: string, present: unknown, found: unknown): void;
  keep(description: Description, name: string): void;
}

/** Values of `fields`, in their order. */
export class DecodedFields {
  readonly fields: readonly FieldModel[];
  readonly values: unknown[];
  /** The variant's name, for `oneOf`. */
  readonly variant: string | undefined;

  constructor(fields: readonly FieldModel[], values: unknown[], variant?: string) {
    this.fields = fields;
    this.values = values;
    this.variant = variant;
  }
}

/** An object of a description, and what its subsections say. */
export class Decoded {
  readonly description: Description;
  versionId: number;
  values: unknown[] = [];
  /** In place of the values: generated code that has checked the bytes and can fill an object from them. */
  compiled: { fill(object: object, isNew: boolean, applier: FillContext): void } | undefined;
  /** In the order of `description.subsections`; undefined where one is not in the stream. */
  subsections: (Decoded | undefined)[] | undefined;
  /** The object, once it is known which. */
  object: object | undefined;
  /** How many saves carried it unread. */
  carried = 0;

  constructor(description: Description, versionId: number) {
    this.description = description;
    this.versionId = versionId;
  }
}

/** Keys and values side by side. */
export interface DecodedMap {
  readonly keys: readonly unknown[];
  readonly values: readonly unknown[];
}
