import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type Description, defineState, list, map, negotiate, Registry, string, struct } from "kstate";
import { descriptionAt, type History, histories, stateAfter, stateAt } from "./histories.ts";

/** A program: the family as a section of its own, and inside others. */
function program(history: History, version: number, state: object, holderState: object): Registry {
  const family = descriptionAt(history, version) as Description<object>;
  const holder = defineState({
    name: "holder",
    id: 2,
    fields: [
      ["one", struct(family)],
      ["many", list(struct(family), { max: 9 })],
      ["byName", map(string({ max: 9 }), struct(family), { max: 9 })],
    ],
  });
  const registry = new Registry();
  registry.register(family as Description, state as never);
  registry.register(holder, holderState as never);
  return registry;
}

function holderOf(make: () => object) {
  return { one: make(), many: [make(), make()], byName: new Map([["a", make()]]) };
}

/** Sends the state through the programs of these versions. */
function travel(history: History, path: readonly number[]): readonly [object, object] {
  let state: object = stateAt(history, path[0]!);
  let holder: object = holderOf(() => stateAt(history, path[0]!));
  let current = program(history, path[0]!, state, holder);
  for (const version of path.slice(1)) {
    state = {};
    holder = {};
    const next = program(history, version, state, holder);
    next.load(current.save(negotiate(current.lockRecord(), next.lockRecord())));
    current = next;
  }
  return [state, holder];
}

describe("histories of a description", () => {
  test("through every pair of versions and back, values go along as far as the versions have them", () => {
    fc.assert(
      fc.property(histories, (history) => {
        for (let from = 0; from <= history.last; from++) {
          for (let to = 0; to <= history.last; to++) {
            for (const path of [
              [from, to],
              [from, to, from],
            ]) {
              const expected = stateAfter(history, path);
              const [, holder] = travel(history, path);
              assert.deepEqual(
                holder,
                holderOf(() => stateAfter(history, path)),
              );
              assert.deepEqual(
                Object.keys((holder as { one: object }).one).toSorted(),
                Object.keys(expected).toSorted(),
              );
            }
          }
        }
      }),
      { numRuns: 150, seed: 20250901 },
    );
  });

  test("a section of its own loses nothing of its subsections, because they are carried", () => {
    fc.assert(
      fc.property(histories, (history) => {
        const { last } = history;
        const subsectionsOnly = {
          ...history,
          fields: history.fields.filter((field) => field.subsection !== undefined),
        };
        const [state] = travel(subsectionsOnly, [last, 0, last]);
        assert.deepEqual(state, stateAt(subsectionsOnly, last));
      }),
      { numRuns: 100, seed: 20250901 },
    );
  });
});
