import assert from "node:assert/strict";
import { test } from "node:test";
import { defineState, f64, i32, list, Registry, record, u16, u32 } from "kstate";

const max = 1000;
const kinds = { u16, u32, i32 };
type Point = { id: number; y: number };

/** A small generator of pseudo-random whole numbers below `n`. */
function randomFrom(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return ((state >>> 8) * n) >>> 24;
  };
}

const streams: Record<string, (i: number, random: (n: number) => number) => number> = {
  consecutive: (i) => 10 + i,
  rising: (i) => 10 + i * 3 + (i % 2),
  "nearly rising": (i) => 20 + i - (i % 17 === 16 ? 5 : 0),
  falling: (i) => 500 - i,
  "twice each": (i) => i >> 1,
  random: (_, random) => random(60000),
  same: () => 7,
};

const befores: Record<string, (i: number, random: (n: number) => number) => unknown> = {
  zero: () => 0,
  "the same numbers": (i) => 10 + i,
  "numbers of others": (_, random) => random(80),
  "no numbers": (i) => [undefined, "7", 7n, null, { valueOf: () => 7 }, 0.5, -1, Number.NaN][i % 8],
};

/** Objects in the order of the list, each by the place where it stood before, or -1 if it is new. */
function filled(
  codec: "compiled" | "reference",
  kind: keyof typeof kinds,
  stream: Uint8Array,
  objects: readonly object[],
): { readonly values: unknown; readonly identities: readonly number[] } {
  const state = { points: [...objects] };
  const registry = new Registry({ codec });
  registry.register(descriptionOf(kind), state as never);
  registry.load(stream, { undo: false });
  assert.equal(registry.codecUse.compiledLoads, codec === "compiled" ? 1 : 0);
  return { values: state.points, identities: state.points.map((object) => objects.indexOf(object)) };
}

function descriptionOf(kind: keyof typeof kinds) {
  const point = record([
    ["y", f64],
    ["id", kinds[kind]],
  ]);
  return defineState({ name: "d", id: 1, fields: [["points", list(point, { max })]] });
}

for (const [name, number] of Object.entries(streams)) {
  test(`each object of a list is filled once, as by the reference: numbers that are ${name}`, () => {
    const random = randomFrom(name.length);
    for (const [beforeName, before] of Object.entries(befores)) {
      for (const kind of ["u16", "u32", "i32"] as const) {
        for (const aliases of [0, 1, 3, 40]) {
          const count = 8 + random(150);
          const points = Array.from({ length: count }, (_, i) => ({ id: number(i, random), y: i / 2 }));
          const registry = new Registry();
          registry.register(descriptionOf(kind), { points });
          const stream = registry.save();
          const size = Math.max(1, count + random(20) - 10);
          const seed = random(1 << 20);
          const objectsAgain = () => {
            const again = randomFrom(seed);
            const objects = Array.from({ length: size }, (_, i) => ({ y: 0.5, id: before(i, again) }));
            for (let i = 0; i < aliases; i++) objects[again(size)] = objects[again(size)]!;
            if (again(4) === 0) objects[again(size)] = undefined as never;
            return objects;
          };
          const [a, b] = [
            filled("compiled", kind, stream, objectsAgain()),
            filled("reference", kind, stream, objectsAgain()),
          ];
          assert.deepStrictEqual(a, b, `${beforeName}, ${kind}, ${aliases} aliases, ${count} of ${size}`);
        }
      }
    }
  });
}

test("an object whose accessor does not give back what it was given is filled once", () => {
  class Clamped {
    #id = 12;
    y = 0.5;
    get id(): number {
      return this.#id;
    }
    set id(value: number) {
      this.#id = Math.min(value, 12);
    }
  }
  const points = Array.from({ length: 40 }, (_, i) => ({ id: 10 + i, y: i }));
  const registry = new Registry();
  registry.register(descriptionOf("u32"), { points });
  const stream = registry.save();
  const objects = (): Point[] => {
    const made = Array.from({ length: 40 }, () => new Clamped());
    made[30] = made[20]!;
    return made;
  };
  const [a, b] = [
    filled("compiled", "u32", stream, objects()),
    filled("reference", "u32", stream, objects()),
  ];
  assert.deepEqual(a.identities, b.identities);
  assert.equal(a.identities[30], -1);
});
