import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type Description,
  defineState,
  isKstateError,
  list,
  map,
  Registry,
  ref,
  string,
  struct,
  u8,
  u32,
} from "kstate";

interface Node {
  n: number;
  next: Node | null;
}
const node: Description<Node> = defineState({
  name: "node",
  id: 1,
  fields: [
    ["n", u32],
    ["next", ref(() => node)],
  ],
});
const holder = defineState({
  name: "holder",
  id: 2,
  fields: [
    ["first", ref(node)],
    ["all", list(ref(node), { max: 2_000_000 })],
    ["scores", map(ref(node), u8, { max: 9 })],
  ],
});

function moved<State extends object>(description: Description<State>, state: State, into: object): State {
  const [saved, loaded] = [new Registry(), new Registry()];
  saved.register(description as Description, state as never);
  loaded.register(description as Description, into as never);
  loaded.load(saved.save());
  return into as State;
}

describe("references", () => {
  test("shared objects stay shared and circles stay circles", () => {
    const a: Node = { n: 1, next: null };
    const b: Node = { n: 2, next: a };
    a.next = b;
    const loaded = moved(holder, { first: a, all: [b, a, b, null as never], scores: new Map([[a, 5]]) }, {});
    assert.equal(loaded.first!.n, 1);
    assert.equal(loaded.first!.next!.next, loaded.first);
    assert.equal(loaded.all[0], loaded.first!.next);
    assert.equal(loaded.all[1], loaded.first);
    assert.equal(loaded.all[2], loaded.all[0]);
    assert.equal(loaded.all[3], null);
    assert.equal(loaded.scores.get(loaded.first!), 5);
  });

  test("a chain of 1,000,000 objects saves and loads", () => {
    let first: Node | null = null;
    for (let n = 0; n < 1_000_000; n++) first = { n, next: first };
    const loaded = moved(holder, { first, all: [], scores: new Map() }, {});
    let n = 1_000_000;
    for (let at = loaded.first; at !== null; at = at.next) assert.equal(at.n, --n);
    assert.equal(n, 0);
  });

  test("objects that are there are filled in again, each once", () => {
    const old: Node = { n: 0, next: { n: 0, next: null } };
    const into = { first: old, all: [old, old], scores: new Map() };
    const a: Node = { n: 1, next: null };
    const b: Node = { n: 2, next: null };
    const loaded = moved(holder, { first: a, all: [a, b], scores: new Map() }, into);
    assert.equal(loaded.first, old);
    assert.equal(loaded.all[0], old);
    assert.notEqual(loaded.all[1], old, "one object cannot stand for two");
    assert.deepEqual(loaded.all[1], { n: 2, next: null });
  });

  test("a subsection knows the section's objects, and shares them", () => {
    const extra = defineState({
      name: "extra",
      id: 3,
      fields: [
        ["leader", ref(node)],
        ["own", ref(node)],
      ],
    });
    const team = defineState({
      name: "team",
      id: 4,
      fields: [["members", list(ref(node), { max: 9 })]],
      subsections: [extra],
    });
    const a: Node = { n: 1, next: null };
    const loaded = moved(team, { members: [a], leader: a, own: { n: 9, next: a } }, {});
    assert.equal(loaded.leader, loaded.members[0]);
    assert.equal(loaded.own!.next, loaded.members[0]);
  });

  test("an object first met in a subsection cannot be referenced from another place: it might be skipped", () => {
    const one = defineState({ name: "one", id: 3, fields: [["a", ref(node)]] });
    const two = defineState({ name: "two", id: 4, fields: [["b", ref(node)]] });
    const both = defineState({ name: "both", id: 5, fields: [], subsections: [one, two] });
    const shared: Node = { n: 1, next: null };
    const registry = new Registry();
    registry.register(both, { a: shared, b: shared });
    assert.throws(
      () => registry.save(),
      (error) =>
        isKstateError(error, "REFERENCE_SPLIT") &&
        error.message ===
          "cannot save two@0 at both.b: the object was first met in a subsection, which a reader may skip; reference it from the section's own fields first",
    );
  });

  test("subsections of referenced objects are written with each", () => {
    const tag = defineState({ name: "tag", id: 6, fields: [["label", string({ max: 9 })]] });
    const leaf = defineState({ name: "leaf", id: 7, fields: [["n", u8]], subsections: [tag] });
    const tree = defineState({ name: "tree", id: 8, fields: [["leaves", list(ref(leaf), { max: 9 })]] });
    const shared = { n: 1, label: "one" };
    const loaded = moved(tree, { leaves: [shared, { n: 2, label: "two" }, shared] }, {});
    assert.deepEqual(loaded.leaves, [shared, { n: 2, label: "two" }, shared]);
    assert.equal(loaded.leaves[0], loaded.leaves[2]);
  });

  test("a number of an object of another description is refused", () => {
    const other = defineState({ name: "other", id: 9, fields: [["n", u8]] });
    const mixed = (second: Description) =>
      defineState({
        name: "mixed",
        id: 10,
        fields: [
          ["a", ref(other)],
          ["b", ref(second)],
        ],
      });
    const object = { n: 1 };
    const registry = new Registry();
    registry.register(mixed(other), { a: object, b: object });
    const stream = registry.save({ dataChecksum: false });
    const foreign = new Registry();
    foreign.register(mixed(defineState({ name: "third", id: 11, fields: [["n", u8]] })), {
      a: null,
      b: null,
    });
    assert.throws(
      () => foreign.load(stream, { foreign: true }),
      (error) => isKstateError(error, "STREAM_CORRUPT") && error.message.endsWith("found 1, a other"),
    );
  });

  test("structs that contain themselves have a depth, which is limited on both sides", () => {
    interface Tree {
      children: Tree[];
    }
    const tree: Description<Tree> = defineState({
      name: "deep",
      id: 12,
      fields: [
        [
          "children",
          list(
            struct(() => tree),
            { max: 3 },
          ),
        ],
      ],
    });
    const nested = (depth: number): Tree => ({ children: depth === 1 ? [] : [nested(depth - 1)] });
    assert.deepEqual(moved(tree, nested(199), { children: [] }), nested(199));
    const registry = new Registry();
    registry.register(tree, nested(202));
    assert.throws(
      () => registry.save(),
      (error) =>
        isKstateError(error, "DEPTH_EXCEEDED") && error.message.endsWith("nested deeper than 200; use ref"),
    );
  });
});
