import assert from "node:assert/strict";
import { test } from "node:test";
import { type Description, defineState, list, optional, Registry, ref, struct, u32 } from "kstate";

const hole = defineState({ name: "hole", id: 1, fields: [["n", u32]] });
const sparse = defineState({
  name: "sparse",
  id: 2,
  fields: [
    ["numbers", list(u32, { max: 10 })],
    ["objects", list(struct(hole), { max: 10 })],
    ["nodes", list(ref(hole), { max: 10 })],
  ],
});

/** A list of a length that nobody walks; reads of elements are counted. */
function endless<T>(last: T): { list: T[]; reads: () => number } {
  let reads = 0;
  const target: T[] = [];
  target[2 ** 32 - 2] = last;
  const watched = new Proxy(target, {
    get(object, name, receiver) {
      if (typeof name === "string" && /^\d+$/.test(name)) reads += 1;
      return Reflect.get(object, name, receiver);
    },
    has(object, name) {
      reads += 1;
      return Reflect.has(object, name);
    },
  });
  return { list: watched, reads: () => reads };
}

for (const codec of ["reference", "compiled"] as const) {
  test(`a list that is nearly all holes is filled in as many steps as the stream has elements (${codec})`, () => {
    const stream = streamOf({ numbers: [1, 2], objects: [{ n: 3 }], nodes: [{ n: 4 }] });
    for (const failing of [false, true]) {
      const numbers = endless(7);
      const objects = endless({ n: 8 });
      const nodes = endless({ n: 9 });
      const object = { numbers: numbers.list, objects: objects.list, nodes: nodes.list };
      const registry = new Registry({ codec });
      registry.register(sparse, object);
      const late = defineState({
        name: "late",
        id: 9,
        fields: [["n", u32]],
        postLoad() {
          throw new Error("no");
        },
      });
      if (failing) registry.register(late, { n: 0 }, 0, { optional: true });
      if (failing) assert.throws(() => registry.load(withLate(late)), { code: "HOOK_FAILED" });
      else registry.load(stream);
      for (const { reads } of [numbers, objects, nodes]) assert.ok(reads() < 2000, `${reads()} reads`);
      if (!failing) {
        assert.deepEqual([...object.numbers], [1, 2]);
        assert.deepEqual([object.objects.length, object.objects[0]], [1, { n: 3 }]);
      } else {
        assert.deepEqual([object.numbers.length, object.numbers[2 ** 32 - 2]], [2 ** 32 - 1, 7]);
        assert.deepEqual(Object.keys(object.objects), [String(2 ** 32 - 2)]);
        assert.deepEqual(object.nodes[2 ** 32 - 2], { n: 9 });
      }
    }

    function withLate(description: Parameters<Registry["register"]>[0]): Uint8Array {
      const registry = new Registry();
      registry.register(sparse, { numbers: [1, 2], objects: [{ n: 3 }], nodes: [{ n: 4 }] });
      registry.register(description, { n: 1 });
      return registry.save();
    }
  });

  test(`an object that contains itself can be loaded into (${codec})`, () => {
    interface Box {
      n: number;
      inner: Box | null;
    }
    const box: Description<Box> = defineState({
      name: "box",
      id: 3,
      fields: [
        ["n", u32],
        ["inner", optional(struct(() => box))],
      ],
    });
    const writer = new Registry();
    writer.register(box, { n: 1, inner: { n: 2, inner: { n: 3, inner: null } } });
    const circle: Box = { n: 7, inner: null };
    circle.inner = circle;
    const registry = new Registry({ codec });
    registry.register(box, circle);
    registry.load(writer.save());
    assert.deepEqual(circle, { n: 1, inner: { n: 2, inner: { n: 3, inner: null } } });
  });
}

function streamOf(object: {
  numbers: number[];
  objects: { n: number }[];
  nodes: { n: number }[];
}): Uint8Array {
  const registry = new Registry();
  registry.register(sparse, object);
  return registry.save();
}
