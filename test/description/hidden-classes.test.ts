import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { defineState, f64, list, oneOf, Registry, record, struct } from "kstate";

setFlagsFromString("--allow-natives-syntax");
const haveSameMap = new Function("a", "b", "return %HaveSameMap(a, b)") as (a: object, b: object) => boolean;

/** Every object that can be reached from a value. */
function* reachableFrom(value: unknown, seen = new Set<unknown>()): Generator<object> {
  if (typeof value !== "object" || value === null || seen.has(value)) return;
  seen.add(value);
  yield value;
  for (const key of Reflect.ownKeys(value))
    yield* reachableFrom((value as Record<PropertyKey, unknown>)[key], seen);
}

test("definitions share no hidden class with the user's records, whose doubles would become slow", () => {
  const point = defineState({
    name: "point",
    id: 1,
    fields: [
      ["x", f64],
      ["y", f64],
    ],
  });
  const world = defineState({
    name: "world",
    id: 2,
    fields: [
      ["points", list(struct(point), { max: 9 })],
      [
        "origin",
        record([
          ["x", f64],
          ["y", f64],
        ]),
      ],
      [
        "shape",
        oneOf("type", {
          point: [
            ["x", f64],
            ["y", f64],
          ],
        }),
      ],
    ],
  });
  const state = {
    points: [{ x: 0.5, y: 1.5 }],
    origin: { x: 0.5, y: 0.5 },
    shape: { type: "point" as const, x: 1.5, y: 2.5 },
  };
  const registry = new Registry();
  registry.register(world, state);
  registry.load(registry.save());
  const users = [...reachableFrom(state)].filter((object) => !Array.isArray(object));
  assert.equal(users.length, 4);
  assert.ok(haveSameMap({ x: 0.5, y: 1.5 }, state.origin), "two records of one shape share theirs");
  const ours = [...reachableFrom([world, registry.lockRecord()])].filter((object) => !Array.isArray(object));
  assert.ok(ours.length > 20);
  for (const user of users) for (const own of ours) assert.ok(!haveSameMap(user, own), JSON.stringify(user));
});
