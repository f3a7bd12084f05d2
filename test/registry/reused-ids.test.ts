import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Description, defineState, isKstateError, list, negotiate, Registry, struct, u8 } from "kstate";
import { checkRecords } from "kstate/check";

const fields = [["n", u8]] as const;
const define = (name: string, id: number, subsections: readonly Description[] = []) =>
  defineState({ name, id, fields: [[`${name}N`, u8]], subsections }) as Description<object>;
const stateOf = (...names: string[]) => Object.fromEntries(names.map((name) => [`${name}N`, 1]));

const extra = define("extra", 7);
const inner = define("inner", 8);
const root = define("root", 1);
const rootWithExtra = define("root", 1, [extra]);
const outer = defineState({ name: "outer", id: 2, fields: [["list", list(struct(inner), { max: 3 })]] });

type Registration = readonly [description: Description, state: object];

function registryOf(...registrations: readonly Registration[]): Registry {
  const registry = new Registry();
  for (const [description, state] of registrations) registry.register(description as never, state as never);
  return registry;
}

/** What the old program has that the new one does not know, and another description of its id or name. */
const cases: Readonly<
  Record<string, { old: readonly Registration[]; taken: Description<object>; message: RegExp }>
> = {
  "the id of an unknown subsection": {
    old: [[rootWithExtra, stateOf("root", "extra")]],
    taken: define("taken", 7),
    message: /extra cannot be carried: its id 7 is that of taken here; ids and names are never used again/,
  },
  "the name of an unknown subsection": {
    old: [[rootWithExtra, stateOf("root", "extra")]],
    taken: define("extra", 70),
    message: /extra.* id 7 .*70/,
  },
  "the id of an unknown section": {
    old: [
      [root, stateOf("root")],
      [extra, stateOf("extra")],
    ],
    taken: define("taken", 7),
    message: /7/,
  },
  "the name of an unknown section": {
    old: [
      [root, stateOf("root")],
      [extra, stateOf("extra")],
    ],
    taken: define("extra", 70),
    message: /extra.* id 7 .*70/,
  },
  "the id of a struct in an unknown section": {
    old: [
      [root, stateOf("root")],
      [outer, { list: [stateOf("inner")] }],
    ],
    taken: define("taken", 8),
    message: /inner cannot be carried: its id 8 is that of taken here/,
  },
  "the name of a struct in an unknown section": {
    old: [
      [root, stateOf("root")],
      [outer, { list: [stateOf("inner")] }],
    ],
    taken: define("inner", 80),
    message: /inner.* id 8 .*80/,
  },
};

const isMismatch = (message: RegExp) => (error: unknown) =>
  isKstateError(error, "DESCRIPTION_MISMATCH") && message.test(error.message);

describe("ids and names of what is carried", () => {
  for (const [what, { old, taken, message }] of Object.entries(cases)) {
    const newer = () => registryOf([root, stateOf("root")], [taken, stateOf(taken.name)]);

    test(`${what}, used by the reader, is refused by load, verify, negotiate and check`, () => {
      const writer = registryOf(...old);
      const reader = newer();
      const before = reader.save();
      for (const call of ["load", "verify"] as const)
        assert.throws(() => reader[call](writer.save()), isMismatch(message), call);
      assert.deepEqual(reader.save(), before);
      assert.throws(
        () => negotiate(writer.lockRecord(), reader.lockRecord()),
        isMismatch(/never used again|must stay/),
      );
      const sides = [{ record: writer.lockRecord() }, { record: reader.lockRecord() }] as const;
      const { verdict, findings } = checkRecords(...sides, { today: new Date(0) });
      assert.equal(verdict, "COLD");
      assert.ok(findings.some(({ rule, severity }) => /^id-/.test(rule) && severity === "error"));
    });

    test(`${what}, registered while it is carried, is refused, and the next save can be loaded`, () => {
      const carrier = registryOf([root, stateOf("root")]);
      carrier.load(registryOf(...old).save());
      for (const attempt of [
        () => carrier.register(taken as never, stateOf(taken.name) as never, 5),
        () => carrier.registerAll(taken, new Map()),
        () =>
          carrier.register(
            defineState({ name: "around", id: 90, fields: [["part", struct(taken)]] }) as never,
            { part: stateOf(taken.name) } as never,
          ),
      ]) {
        assert.throws(attempt, isMismatch(/cannot register .* cannot be carried/));
      }
      assert.equal(carrier.size, 1);
      const back = registryOf(...old);
      back.load(carrier.save());
      assert.throws(
        () => carrier.assertCarriedFits(newer().lockRecord()),
        isMismatch(/the next version cannot take over/),
      );
      carrier.assertCarriedFits(back.lockRecord());
    });
  }

  test("what was claimed bars nothing: only what is carried just now counts", () => {
    const carrier = registryOf([root, stateOf("root")]);
    carrier.load(registryOf([root, stateOf("root")], [outer, { list: [stateOf("inner")] }]).save());
    carrier.register(outer, { list: [] });
    carrier.unregister(outer);
    carrier.register(define("taken", 8) as never, stateOf("taken") as never);
    registryOf([root, stateOf("root")], [define("taken", 8), stateOf("taken")]).load(carrier.save());
  });

  test("a struct that is gone from a section which both know bars nothing", () => {
    const before = defineState({
      name: "kept",
      id: 3,
      versionId: 1,
      fields: [...fields, ["gone", struct(inner)]],
    });
    const after = defineState({
      name: "kept",
      id: 3,
      versionId: 2,
      fields: [...fields, ["gone", struct(inner).until(1, { save: () => stateOf("inner") as never })]],
    });
    const next = registryOf([after, { n: 1 }]);
    next.load(registryOf([before, { n: 2, gone: stateOf("inner") }]).save());
    negotiate(registryOf([before, { n: 2, gone: {} }]).lockRecord(), next.lockRecord());
  });
});
