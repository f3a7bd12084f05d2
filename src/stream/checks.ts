import { type Check, type FieldModel, type Kind, picture } from "../description/index.ts";
import { KstateError, type Place } from "../error/index.ts";
import { Applier } from "./apply.ts";
import type { ByteReader } from "./byte-reader.ts";
import type { Decoded } from "./decoded.ts";
import { hookFailed } from "./hook-failure.ts";

interface Deferred {
  readonly checks: readonly Check[];
  readonly make: (applier: Applier) => unknown;
  readonly where: Place;
}

/**
 * The program's `check` predicates on load. Plain values are checked at once; objects wait until the whole section was
 * read, and the predicates see objects that are made for them alone.
 */
export class LoadChecks {
  readonly #in: ByteReader;
  #deferred: Deferred[] = [];

  constructor(input: ByteReader) {
    this.#in = input;
  }

  field(field: FieldModel, value: unknown, start: number): void {
    if (isComposite(field.kind)) {
      this.#defer(field.checks, start, (applier) => applier.applyValue(field.kind, value));
      return;
    }
    for (const { predicate, why } of field.checks) {
      if (predicate(value) === true) continue;
      throw this.#in.trace.error("CHECK_FAILED", start, `${why}; it is ${picture(value)}`, { why });
    }
  }

  object(decoded: Decoded): void {
    const { checks } = decoded.description;
    if (checks.length > 0) this.#defer(checks, this.#in.offset, (applier) => applier.applyNew(decoded));
  }

  run(): void {
    const deferred = this.#deferred;
    this.#deferred = [];
    for (const { checks, make, where } of deferred) {
      const trial = new Applier({ folioAt: (address) => ({ address }), isTrial: true });
      const value = make(trial);
      trial.forget();
      for (const check of checks) assertCheck(check, value, where);
    }
  }

  #defer(checks: readonly Check[], offset: number, make: (applier: Applier) => unknown): void {
    this.#deferred.push({ checks, make, where: this.#in.trace.place(offset) });
  }
}

function assertCheck({ predicate, why }: Check, value: unknown, where: Place): void {
  let holds: unknown;
  try {
    holds = predicate(value);
  } catch (error) {
    throw hookFailed("load", where, error);
  }
  if (holds === true) return;
  const message = `cannot load ${where.description} at ${where.path}: ${why}; it is ${picture(value)}`;
  throw new KstateError("CHECK_FAILED", message, { ...where, why });
}

const compositeKinds = new Set<Kind["kind"]>([
  ...(["array", "pointer", "pointerArray", "struct", "record", "list", "set", "map"] as const),
  ...(["oneOf", "ref", "optional", "equal"] as const),
]);

/** Kinds that are not read as the value itself. */
function isComposite({ kind }: Kind): boolean {
  return compositeKinds.has(kind);
}
