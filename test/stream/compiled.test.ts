import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  type Description,
  defineState,
  isKstateError,
  type LoadReport,
  list,
  map,
  Registry,
  string,
  struct,
} from "kstate";
import { descriptionAt, type History, histories, stateAt } from "../registry/histories.ts";
import { cases, describedBy, normal } from "./any-description.ts";

/** What came of a call, in a form that can be compared. */
type Outcome<T> = { readonly value: T } | { readonly error: string };

function outcomeOf<T>(call: () => T): Outcome<T> {
  try {
    return { value: call() };
  } catch (error) {
    if (!isKstateError(error)) throw error;
    return { error: `${error.code}: ${error.message}\n${JSON.stringify(error.detail, bigIntText)}` };
  }
}

function bigIntText(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}n` : value;
}

const codecs = ["compiled", "reference"] as const;

/** The same with generated code and with the reference; gives what generated code did. */
function both<T>(run: (registry: Registry) => T): { readonly result: T; readonly registry: Registry } {
  const registries = codecs.map((codec) => new Registry({ codec }));
  const [compiled, reference] = registries.map((registry) => run(registry)) as [T, T];
  assert.deepStrictEqual(compiled, reference);
  return { result: compiled, registry: registries[0]! };
}

interface Loaded {
  readonly outcome: Outcome<LoadReport>;
  readonly state: unknown;
}

function loadedBoth(
  description: Description,
  before: object,
  stream: Uint8Array,
  zeroCopy = false,
): { loads: number; result: Loaded } {
  const { result, registry } = both((registry) => {
    const state = structuredClone(before);
    registry.register(description, state as never);
    const outcome = outcomeOf(() => registry.load(stream, { zeroCopy }));
    return { outcome, state: normal(state) };
  });
  return { loads: registry.codecUse.compiledLoads, result };
}

describe("generated code and the reference", () => {
  test("write the same bytes and load the same objects, for any value of any description", () => {
    const use = { saves: 0, loads: 0 };
    fc.assert(
      fc.property(cases, ([fields, value, other]) => {
        const description = describedBy(fields, 1);
        const { result: stream, registry } = both((registry) => {
          registry.register(description, value as never);
          return registry.save();
        });
        assert.equal(registry.codecUse.referenceSaves, 0, "nothing was left to the reference");
        use.saves += registry.codecUse.compiledSaves;
        for (const into of [{}, other])
          use.loads += loadedBoth(description, normal(into) as object, stream).loads;
        const copied = loadedBoth(description, {}, stream).result;
        assert.deepStrictEqual(loadedBoth(description, {}, stream.slice(), true).result, copied);
      }),
      { numRuns: 500, seed: 17 },
    );
    assert.equal(use.saves, 500);
    assert.ok(use.loads > 900, `generated code loaded ${use.loads} of 1000`);
  });

  test("refuse the same values with the same errors", () => {
    let refused = 0;
    fc.assert(
      fc.property(
        cases,
        fc.anything({ withBigInt: true, withDate: true, withMap: true }),
        fc.nat(),
        ([fields, value], wrong, at) => {
          const description = describedBy(fields, 1);
          const state = { ...value, [`f${at % fields.length}`]: wrong };
          const { result } = both((registry) => {
            registry.register(description, state as never);
            return outcomeOf(() => registry.save());
          });
          if ("error" in result) refused++;
        },
      ),
      { numRuns: 500, seed: 18 },
    );
    assert.ok(refused > 300, `${refused} of 500 were refused`);
  });

  test("refuse the same damaged streams with the same errors, and change nothing", () => {
    const use = { compiled: 0, refused: 0 };
    fc.assert(
      fc.property(
        cases,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 }),
        ([fields, value, other], changes) => {
          const description = describedBy(fields, 1);
          const registry = new Registry();
          registry.register(description, value as never);
          const stream = registry.save({ dataChecksum: false });
          const size = new DataView(stream.buffer, stream.byteOffset).getInt32(20, true);
          if (size === 0) return;
          for (const [at, byte] of changes) stream[24 + (at % size)] = byte;
          const { loads, result } = loadedBoth(description, normal(other) as object, stream);
          use.compiled += loads;
          if ("error" in result.outcome) use.refused++;
        },
      ),
      { numRuns: 1500, seed: 19 },
    );
    assert.ok(use.refused > 300, `${use.refused} were refused`);
    assert.ok(use.compiled > 200, `${use.compiled} were loaded by generated code`);
  });

  test("agree about every pair of versions of any history", () => {
    const use = { saves: 0, loads: 0 };
    fc.assert(
      fc.property(histories, (history) => {
        for (let writer = 0; writer <= history.last; writer++) {
          for (let reader = 0; reader <= history.last; reader++) agree(history, writer, reader, use);
        }
      }),
      { numRuns: 60, seed: 20 },
    );
    assert.ok(use.saves > 500 && use.loads > 500, JSON.stringify(use));
  });
});

/** The family as a section of its own, and inside another. */
function agree(
  history: History,
  writer: number,
  reader: number,
  use: { saves: number; loads: number },
): void {
  const versionIds = { family: Math.min(writer, reader) };
  const { result: stream, registry } = both((registry) => {
    registerIn(registry, history, writer, stateAt(history, writer), holderOf(history, writer));
    return registry.save({ versionIds });
  });
  use.saves += registry.codecUse.compiledSaves;
  for (const isEmpty of [true, false]) {
    const { registry: loader } = both((registry) => {
      const state = isEmpty ? {} : stateAt(history, reader);
      const holder = isEmpty ? {} : holderOf(history, reader);
      registerIn(registry, history, reader, state, holder);
      return [outcomeOf(() => registry.load(stream)), state, holder];
    });
    use.loads += loader.codecUse.compiledLoads;
  }
}

function registerIn(
  registry: Registry,
  history: History,
  version: number,
  state: object,
  holder: object,
): void {
  const family = descriptionAt(history, version);
  const holding = defineState({
    name: "holder",
    id: 2,
    fields: [
      ["one", struct(family)],
      ["many", list(struct(family), { max: 9 })],
      ["byName", map(string({ max: 9 }), struct(family), { max: 9 })],
    ],
  });
  registry.register(family, state as never);
  registry.register(holding, holder as never);
}

function holderOf(history: History, version: number): object {
  const make = () => stateAt(history, version);
  return { one: make(), many: [make(), make()], byName: new Map([["a", make()]]) };
}
