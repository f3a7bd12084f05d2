import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  type Description,
  defineState,
  isKstateError,
  list,
  map,
  Registry,
  set,
  string,
  struct,
  u8,
  u16,
  u32,
} from "kstate";

const max = 50;

/** Structs as elements, with subsections as columns: of fixed size or not, with hooks or not, also in each other. */
function descriptionOf(calls: string[], isFixed: boolean, hasHooks: boolean): Description {
  const hooks = (name: string) =>
    hasHooks
      ? {
          preLoad: () => void calls.push(`preLoad ${name}`),
          postLoad: (state: object) => void calls.push(`postLoad ${name} ${JSON.stringify(state)}`),
          needed: (state: { a?: number }) => (state.a ?? 0) % 3 !== 0,
        }
      : {};
  const color = defineState({
    name: "color",
    id: 3,
    fields: [
      ["r", u8],
      ["g", u8],
    ],
    ...(hooks("color") as object),
  });
  const tag = defineState({
    name: "tag",
    id: 4,
    fields: [
      ["label", string({ max })],
      ["later", u16.since(0, 7)],
    ],
    ...(hooks("tag") as object),
  });
  const bit = defineState({
    name: "bit",
    id: 6,
    fields: [["z", u8]],
    subsections: [color],
    ...(hooks("bit") as object),
  });
  const item = defineState({
    name: "item",
    id: 2,
    fields: isFixed
      ? [["a", u32]]
      : [
          ["a", u32],
          ["name", string({ max })],
          ["bits", list(struct(bit), { max })],
        ],
    subsections: isFixed ? [tag] : [tag, color],
    ...(hooks("item") as object),
  });
  return defineState({
    name: "d",
    id: 1,
    fields: [
      ["items", list(struct(item), { max })],
      ["byKey", map(string({ max }), struct(item), { max })],
      ["some", set(struct(bit), { max })],
      ["last", u16],
    ],
  });
}

const small = fc.nat(255);
const colorOf = fc.record({ r: small, g: small });
const bit = fc.tuple(small, colorOf).map(([z, color]) => ({ z, ...color }));
const item = fc
  .tuple(
    small,
    fc.string({ maxLength: 4 }),
    fc.array(bit, { maxLength: 3 }),
    fc.string({ maxLength: 3 }),
    colorOf,
  )
  .map(([a, name, bits, label, color]) => ({ a, name, bits, label, later: 9, ...color }));
const keyed = fc
  .uniqueArray(fc.tuple(fc.string({ maxLength: 3 }), item), { maxLength: 4, selector: ([key]) => key })
  .map((entries) => new Map(entries));
const states = fc.record({
  items: fc.array(item, { maxLength: 5 }),
  byKey: keyed,
  some: fc.array(bit, { maxLength: 3 }).map((bits) => new Set(bits)),
  last: fc.nat(0xffff),
});

function loadedBy(
  codec: "compiled" | "reference",
  isFixed: boolean,
  hasHooks: boolean,
  stream: Uint8Array,
  before: object,
) {
  const calls: string[] = [];
  const registry = new Registry({ codec });
  const state = structuredClone(before);
  registry.register(descriptionOf(calls, isFixed, hasHooks), state as never);
  let outcome: unknown;
  try {
    outcome = registry.load(stream, { undo: false });
  } catch (error) {
    assert.ok(isKstateError(error), String(error));
    outcome = `${error.code}: ${error.message}`;
  }
  return { loads: registry.codecUse.compiledLoads, result: { outcome, state, calls } };
}

describe("structs with subsections as elements of lists, sets and maps", () => {
  for (const isFixed of [true, false]) {
    for (const hasHooks of [false, true]) {
      const title = `${isFixed ? "of fixed size" : "of any size"}${hasHooks ? ", with hooks" : ""}`;
      test(`are loaded as by the reference, and refused as by it when damaged: ${title}`, () => {
        const use = { loads: 0, runs: 0, refused: 0 };
        fc.assert(
          fc.property(
            states,
            states,
            fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 2 }),
            (state, other, changes) => {
              const writer = new Registry({ codec: "compiled" });
              writer.register(descriptionOf([], isFixed, hasHooks), state as never);
              const stream = writer.save({ dataChecksum: false });
              assert.equal(writer.codecUse.referenceSaves, 0);
              const size = new DataView(stream.buffer, stream.byteOffset).getInt32(20, true);
              for (const [at, byte] of changes) stream[24 + (at % size)] = byte;
              for (const before of [{}, other]) {
                const compiled = loadedBy("compiled", isFixed, hasHooks, stream, before);
                const reference = loadedBy("reference", isFixed, hasHooks, stream, before);
                assert.deepStrictEqual(compiled.result, reference.result);
                use.runs++;
                use.loads += compiled.loads;
                if (typeof compiled.result.outcome === "string") use.refused++;
                else if (changes.length === 0)
                  assert.equal(compiled.loads, 1, "nothing was left to the reference");
              }
            },
          ),
          { numRuns: 150, seed: 23 },
        );
        assert.ok(use.loads > use.runs / 3 && use.refused > 5, JSON.stringify(use));
      });
    }
  }
});
