import assert from "node:assert/strict";
import { test } from "node:test";
import { type Description, defineState, list, Registry, ref, string, u16, u32, u64 } from "kstate";

const max = 100_000;

interface Node {
  id: number;
  next: Node | null;
  other: Leaf | null;
}
interface Leaf {
  rank: number;
}

const leaf = defineState({ name: "numbers.leaf", id: 2, fields: [["rank", u16]] });
const node: Description = defineState({
  name: "numbers.node",
  id: 3,
  fields: [
    ["id", u64.safe],
    ["next", ref(() => node)],
    ["other", ref(leaf)],
  ],
});
const graph = defineState({
  name: "numbers.graph",
  id: 1,
  fields: [
    ["nodes", list(ref(node), { max })],
    ["leaves", list(ref(leaf), { max })],
  ],
});

function savedBy(codec: "compiled" | "reference", state: object, description: Description = graph) {
  const registry = new Registry({ codec });
  registry.register(description, state as never);
  return { stream: registry.save(), compiled: registry.codecUse.compiledSaves };
}

/** The bytes by generated code are those by the reference; says whether generated code did it. */
function compiledCount(state: () => object, description?: Description): number {
  const { stream, compiled } = savedBy("compiled", state(), description);
  assert.deepEqual(stream, savedBy("reference", state(), description).stream);
  return compiled;
}

function graphOf(count: number, idOf: (i: number) => number): { nodes: Node[]; leaves: Leaf[] } {
  const leaves = Array.from({ length: 50 }, (_, i) => ({ rank: i % 7 }));
  const nodes = Array.from({ length: count }, (_, i): Node => ({ id: idOf(i), next: null, other: null }));
  nodes.forEach((one, i) => {
    one.next = nodes[(i * 7919) % count]!;
    one.other = i % 3 === 0 ? null : leaves[i % leaves.length]!;
  });
  return { nodes: [...nodes, ...nodes.slice(0, 20)], leaves };
}

for (const [name, idOf] of [
  ["one after the other", (i: number) => i],
  ["of which many are the same", (i: number) => i % 100],
  ["all the same", () => 7],
  ["far apart", (i: number) => i * 4_294_967_296 + (i % 13)],
  ["in ranges that are alike in their lowest bits", (i: number) => (i % 4) * 2 ** 20 + (i >> 2)],
] as const) {
  test(`objects keep their identity with numbers ${name}, also in thousands`, () => {
    assert.equal(
      compiledCount(() => graphOf(6000, idOf)),
      1,
    );
  });
}

test("a second save of a graph that has changed knows nothing of the first", () => {
  const state = graphOf(6000, (i) => i);
  const registry = new Registry({ codec: "compiled" });
  registry.register(graph, state as never);
  registry.save();
  state.nodes.splice(100, 3000);
  for (const [i, { next }] of state.nodes.entries()) if (next !== null) next.id = 9000 - i;
  assert.deepEqual(registry.save(), savedBy("reference", state).stream);
  state.nodes = graphOf(8000, (i) => i).nodes;
  assert.deepEqual(registry.save(), savedBy("reference", state).stream);
  assert.equal(registry.codecUse.compiledSaves, 3);
});

test("a number that is another each time it is asked for leaves the graph to the reference", () => {
  let count = 0;
  const restless = () => {
    count = 0;
    const one: Node = {
      get id() {
        return count++;
      },
      next: null,
      other: null,
    };
    return { nodes: [one, one, { id: 1, next: one, other: null }], leaves: [] };
  };
  const { stream, compiled } = savedBy("compiled", restless());
  assert.equal(compiled, 0);
  const registry = new Registry();
  const loaded = { nodes: [] as Node[], leaves: [] as Leaf[] };
  registry.register(graph, loaded as never);
  registry.load(stream);
  assert.equal(loaded.nodes[0], loaded.nodes[1]);
  assert.equal(loaded.nodes[2]!.next, loaded.nodes[0]);
});

test("one object under two descriptions has two numbers; without a whole number a Map serves", () => {
  const named: Description = defineState({
    name: "numbers.named",
    id: 5,
    fields: [
      ["name", string({ max })],
      ["next", ref(() => named)],
    ],
  });
  const numbered = defineState({ name: "numbers.numbered", id: 6, fields: [["id", u32]] });
  const both = defineState({
    name: "numbers.both",
    id: 4,
    fields: [
      ["named", list(ref(named), { max })],
      ["numbered", list(ref(numbered), { max })],
    ],
  });
  const state = () => {
    const objects = Array.from({ length: 2000 }, (_, id) => ({
      id,
      name: `n${id % 9}`,
      next: null as object | null,
    }));
    for (const [i, object] of objects.entries()) object.next = objects[i ^ 1]!;
    return { named: [...objects, objects[5]], numbered: [...objects, objects[5]] };
  };
  assert.equal(compiledCount(state, both), 1);
});
