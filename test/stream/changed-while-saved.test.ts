/** A count stands in the stream before its elements: whoever changes them meanwhile is refused, in both codecs. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type AnyField,
  array,
  custom,
  type Description,
  defineState,
  f32,
  isKstateError,
  list,
  map,
  pointerArray,
  Registry,
  record,
  ref,
  set,
  string,
  struct,
  u8,
  u16,
} from "kstate";
import { described, loadedAgain, refusedBoth, savedBoth, savedWith } from "./both-codecs.ts";

const code = "CHANGED_WHILE_SAVED";

interface Item {
  n: number;
  act?: () => void;
}

const item = defineState({
  name: "item",
  id: 2,
  fields: [["n", u8]],
  preSave: (state) => (state as Item).act?.(),
});
const quiet = () => {};

const noted = defineState({
  name: "item",
  id: 2,
  fields: [["n", u8]],
  subsections: [defineState({ name: "note", id: 3, fields: [["m", u8]], needed: needs })],
});

function needs(state: unknown): boolean {
  (state as Item).act?.();
  return true;
}

/** Something of the program's that runs while its element is written, in each way that there is. */
const elements: readonly (readonly [string, AnyField, (act: () => void) => unknown])[] = [
  ["preSave", struct(item), (act) => ({ n: 1, act })],
  ["needed", struct(noted), (act) => ({ n: 1, m: 1, act })],
  [
    "a getter",
    record([["n", u8]]),
    (act) => ({
      get n() {
        act();
        return 1;
      },
    }),
  ],
  [
    "a custom codec",
    custom("any@1", {
      save: (value: { act: () => void }, writer) => {
        value.act();
        writer.u8(1);
      },
      load: (reader) => ({ act: quiet, n: reader.u8() }),
    }),
    (act) => ({ act }),
  ],
];

/**
 * The reference refuses it by its path. Generated code leaves it to the reference too, for which the program's code runs
 * once more: it refuses, or what it finds then is whole.
 */
function refusedOrWhole(description: Description, make: () => object): void {
  const reference = savedWith("reference", description, make());
  assert.ok("code" in reference, "it was saved");
  assert.equal(reference.code, code, reference.message);
  assert.ok(reference.message.includes("at d.x: it was changed while it was saved"), reference.message);
  const compiled = savedWith("compiled", description, make());
  if ("stream" in compiled) loadedAgain(description, compiled.stream);
}

describe("a collection that is changed while it is saved", () => {
  for (const [what, field, make] of elements) {
    test(`${what}: a list that grows or shrinks, at its beginning and at its end`, () => {
      for (const [from, count] of [
        [0, 3],
        [2, 3],
        [0, 1],
      ] as const) {
        for (const act of [
          (values: unknown[]) => values.push(make(quiet)),
          (values: unknown[]) => values.pop(),
          (values: unknown[]) => values.splice(0, values.length),
        ]) {
          const state = () => {
            const values: unknown[] = [];
            for (let i = 0; i < count; i++) values.push(make(i === from ? () => act(values) : quiet));
            return { x: values };
          };
          refusedOrWhole(described(list(field, { max: 99 })), state);
          refusedOrWhole(described(array(field, count)), state);
          const before = [["n", u8]] as const;
          refusedOrWhole(described(pointerArray(field, "n"), before), () => ({ n: count, ...state() }));
        }
      }
    });

    test(`${what}: a set and a map that grow, shrink, grow without end or change one for another`, () => {
      const acts: ((all: Map<number, unknown>, key: number) => void)[] = [
        (all) => all.set(9, make(quiet)),
        (all) => all.delete(2),
        (all) => all.clear(),
        (all, key) => {
          all.delete(key);
          all.set(9, make(quiet));
        },
      ];
      // When `needed` is asked all were written: those that were there.
      for (const act of what === "needed" ? acts.slice(0, 3) : acts) {
        const state = () => {
          const all = new Map<number, unknown>();
          for (let i = 0; i < 3; i++) all.set(i, make(i === 1 ? () => act(all, i) : quiet));
          return { x: all };
        };
        refusedOrWhole(described(map(u8, field, { max: 99 })), state);
      }
      const endless = () => {
        const all = new Set<unknown>();
        const more = () => all.add(make(more));
        more();
        return { x: all };
      };
      refusedOrWhole(described(set(field, { max: 99 })), endless);
    });
  }

  test("subsections are those of the objects that were written, whoever stands where they stood", () => {
    const state = () => {
      const all = new Map<string, unknown>();
      const again = () => {
        const first = all.get("a");
        all.delete("a");
        all.set("a", first);
      };
      let turns = 0;
      all.set("a", { n: 1, m: 1, act: () => (turns++ === 0 ? again() : undefined) });
      all.set("b", { n: 2, m: 2 });
      return { x: all };
    };
    const description = described(map(string({ max: 9 }), struct(noted), { max: 9 }));
    const saved = savedBoth(description, state);
    assert.ok("stream" in saved);
    const { x } = loadedAgain(description, saved.stream);
    assert.deepEqual(x, new Map(Object.entries({ a: { n: 1, m: 1 }, b: { n: 2, m: 2 } })));
  });

  test("a change that is over before the end is none", () => {
    const state = () => {
      const values: Item[] = [];
      const act = () => {
        values.push({ n: 3 });
        values.pop();
      };
      values.push({ n: 1, act }, { n: 2 });
      return { x: values };
    };
    const saved = savedBoth(described(list(struct(item), { max: 9 })), state);
    assert.ok("stream" in saved);
  });

  test("a class that walks its entries in a way of its own is taken at its word, but for keys that come again", () => {
    class Sorted extends Map<number, number> {
      override [Symbol.iterator]() {
        return [...super[Symbol.iterator]()].toSorted(([a], [b]) => a - b).values() as MapIterator<
          [number, number]
        >;
      }
    }
    class Twice extends Set<number> {
      override [Symbol.iterator]() {
        return [7, 7].values() as SetIterator<number>;
      }
    }
    const sorted = () => ({
      x: new Sorted([
        [2, 0],
        [1, 0],
      ]),
    });
    const description = described(map(u8, u8, { max: 9 }));
    const saved = savedBoth(description, sorted);
    assert.ok("stream" in saved);
    assert.deepEqual([...(loadedAgain(description, saved.stream).x as Map<number, number>).keys()], [1, 2]);
    refusedBoth(
      described(set(u8, { max: 9 })),
      () => ({ x: new Twice([1, 2]) }),
      "VALUE_INVALID",
      "at d.x[1]: expected elements and keys that are there once, got 7",
    );
  });

  test("a condition and a count ask what was written, not once more", () => {
    const fields = [
      ["mode", u8],
      ["n", u8],
      ["extra", u16.when("mode", "==", 1)],
    ] as const;
    const description = described(pointerArray(u8, "n"), fields);
    const state = () => {
      let [mode, n] = [0, 1];
      return {
        get mode() {
          return ++mode;
        },
        get n() {
          return ++n;
        },
        extra: 5,
        x: [1, 2],
      };
    };
    const saved = savedBoth(description, state);
    assert.ok("stream" in saved, JSON.stringify(saved));
    assert.deepEqual(loadedAgain(description, saved.stream), { mode: 1, n: 2, extra: 5, x: [1, 2] });
  });

  test("a condition on an f32 is about the number that it is rounded to", () => {
    const description = described(u8.when("ratio", ">", 0.1), [["ratio", f32]]);
    const saved = savedBoth(description, () => ({ ratio: 0.1, x: 3 }));
    assert.ok("stream" in saved);
    assert.equal(loadedAgain(description, saved.stream).x, 3);
  });

  test("objects behind references that add others are written with them", () => {
    interface Node {
      n: number;
      next: Node | null;
    }
    const node: Description<Node> = defineState({
      name: "node",
      id: 2,
      fields: [
        ["n", u8],
        ["next", ref(() => node)],
      ],
      preSave: (state) => {
        if (state.n < 5) state.next ??= { n: state.n + 1, next: null };
      },
    });
    const description = described(ref(node) as AnyField);
    const saved = savedBoth(description, () => ({ x: { n: 1, next: null } }));
    assert.ok("stream" in saved);
    assert.equal((loadedAgain(description, saved.stream).x as Node).next?.next?.n, 3);
  });

  test("a codec that goes on writing after it returned is refused", async () => {
    const kept: ((value: number) => void)[] = [];
    const late = custom("late@1", {
      save: (_: unknown, writer) => {
        kept.push(writer.u8);
        writer.u8(1);
      },
      load: (reader) => reader.u8(),
    });
    assert.ok("stream" in savedBoth(described(late), () => ({ x: 1 })));
    for (const u8Later of kept) assert.throws(() => u8Later(1), /after save returned/);
    const promising = custom("late@2", {
      save: (async () => {}) as unknown as () => void,
      load: () => 0,
    });
    refusedBoth(described(promising), () => ({ x: 1 }), "HOOK_FAILED", "returned a promise");
    const awaited = custom("late@3", {
      save() {},
      load: () => Promise.reject(new Error("later")) as unknown,
    });
    const saved = savedBoth(described(awaited), () => ({ x: 1 }));
    assert.ok("stream" in saved);
    for (const codec of ["compiled", "reference"] as const) {
      const registry = new Registry({ codec });
      registry.register(described(awaited), {} as never);
      assert.throws(
        () => registry.load(saved.stream),
        (error) => isKstateError(error, "HOOK_FAILED") && error.message.includes("returned a promise"),
      );
    }
  });
});
