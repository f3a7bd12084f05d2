/**
 * The kernel's document (Documentation/core-api/kstate.rst), sentence by sentence: each test's title is what it says,
 * each test shows it.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  char,
  type Description,
  defineState,
  folio,
  i32,
  isKstateError,
  pointer,
  Registry,
  type StateOf,
  u16,
  u64,
} from "kstate";

// struct kstate_test_data { int i; unsigned long *p_ulong; char s[10]; struct folio *folio; };
const KSTATE_TEST_ID = 3;
const KSTATE_TEST_ID_V2 = 4;

const test1 = defineState({
  name: "test",
  versionId: 1,
  id: KSTATE_TEST_ID,
  fields: [
    ["s", char(10)], // KSTATE_BASE_TYPE(s, struct kstate_test_data, char [10])
    ["pUlong", pointer(u64)], // KSTATE_POINTER(p_ulong, struct kstate_test_data)
    ["folio", folio()], // KSTATE_FOLIO(folio, struct kstate_test_data)
  ],
});

const data = () => ({ s: "abcdefghk", pUlong: { value: 20n }, folio: { address: 0x1234000n } });
const empty = () => ({ s: "", pUlong: { value: 0n }, folio: { address: 0n } });

function save<D extends Description>(
  description: D,
  state: StateOf<D> & object,
  versionId?: number,
): Uint8Array {
  const registry = new Registry();
  registry.register(description, state, 123);
  return registry.save(versionId === undefined ? {} : { versionIds: { [description.name]: versionId } });
}

function load<D extends Description>(description: D, stream: Uint8Array, state: StateOf<D> & object) {
  const registry = new Registry();
  registry.register(description, state, 123);
  const report = registry.load(stream);
  return { state, report };
}

const sectionVersion = (stream: Uint8Array) =>
  new DataView(stream.buffer, stream.byteOffset).getInt32(12, true);
const dataSize = (stream: Uint8Array) => new DataView(stream.buffer, stream.byteOffset).getInt32(20, true);

describe("KSTATE: Kernel state preservation framework", () => {
  test("KSTATE is framework to migrate some part of the internal kernel state from one kernel to another", () => {
    const [oldKernel, newKernel] = [data(), empty()];
    load(test1, save(test1, oldKernel), newKernel);
    assert.deepEqual(newKernel, oldKernel);
  });
});

describe("kstate_description", () => {
  test("Most kernel's state is in structs and structs could be described by kstate_description", () => {
    assert.equal(String(test1), "test@1");
    assert.deepEqual(
      test1.fields.map(({ name, kind }) => [name, kind.kind]),
      [
        ["s", "char"],
        ["pUlong", "pointer"],
        ["folio", "folio"],
      ],
    );
  });
});

describe("Changing data structures", () => {
  test("KSTATE saves/restores structs as a series of fields", () => {
    const bytes = Buffer.from(save(test1, data()).subarray(24, 24 + 26)).toString("hex");
    assert.equal(bytes, "61626364656667686b00" + "1400000000000000" + "0040230100000000");
  });

  test("When the kernel structs are changed we may need to change the state to store more/different information", () => {
    const changed = defineState({
      name: "test",
      versionId: 2,
      id: KSTATE_TEST_ID,
      fields: [
        ["s", char(10)],
        ["pUlong", pointer(u64)],
        ["folio", folio().until(1)],
        ["more", u16.since(2)],
      ],
    });
    const { state } = load(changed, save(test1, data()), { s: "", pUlong: { value: 0n }, more: 9 });
    assert.deepEqual(state, { s: "abcdefghk", pUlong: { value: 20n }, more: 9 });
  });
});

describe("Versions", () => {
  const at = (versionId: number, minVersionId = 0) =>
    defineState({
      name: "test",
      id: KSTATE_TEST_ID,
      versionId,
      minVersionId,
      fields:
        versionId < 2
          ? [["k", u16]]
          : [
              ["k", u16],
              ["i", i32.since(2)],
            ],
    }) as Description<{ k: number; i?: number }>;

  test("Version numbers are intended for major incompatible changes, that are not backward compatible", () => {
    assert.throws(
      () => load(at(1), save(at(2), { k: 1, i: 2 }), { k: 0 }),
      (error) => isKstateError(error, "VERSION_TOO_NEW"),
    );
  });

  test("Each version is associated with a series of fields saved", () => {
    assert.equal(dataSize(save(at(2), { k: 1, i: 2 }, 1)), 2);
    assert.equal(dataSize(save(at(2), { k: 1, i: 2 }, 2)), 6);
  });

  test("The state is always saved as the newest version specified by ->version_id (unless versionIds asks otherwise)", () => {
    assert.equal(sectionVersion(save(at(2), { k: 1, i: 2 })), 2);
    assert.equal(sectionVersion(save(at(5), { k: 1, i: 2 })), 5);
  });

  test("But loading state sometimes is able to load state from an older version", () => {
    assert.equal(load(at(2), save(at(1), { k: 7 }), { k: 0, i: 3 }).state.k, 7);
  });

  test("version_id: the maximum version_id supported; min_version_id: the minimum version_id able to understand", () => {
    const reader = at(4, 2);
    for (const [versionId, code] of [
      [1, "VERSION_TOO_OLD"],
      [5, "VERSION_TOO_NEW"],
    ] as const) {
      assert.throws(
        () => load(reader, save(at(versionId), { k: 1, i: 2 }), { k: 0, i: 0 }),
        (error) => isKstateError(error, code) && error.detail.lowest === 2 && error.detail.highest === 4,
      );
    }
  });

  test("KSTATE is able to read versions from minimum_version_id to version_id", () => {
    for (const versionId of [2, 3, 4]) {
      assert.deepEqual(load(at(4, 2), save(at(versionId), { k: 1, i: 2 }), { k: 0, i: 0 }).state, {
        k: 1,
        i: 2,
      });
    }
  });

  test("There are _V forms of many KSTATE_ macros: it only loads that field for versions 2 and newer", () => {
    assert.deepEqual(load(at(2), save(at(1), { k: 1 }), { k: 0, i: 77 }).state, { k: 1, i: 77 });
    assert.deepEqual(load(at(3), save(at(2), { k: 1, i: 5 }), { k: 0, i: 77 }).state, { k: 1, i: 5 });
  });

  test("Saving state will always create a section with the 'version_id' value and thus can't be loaded by any older kernel", () => {
    for (const older of [0, 1]) {
      assert.throws(
        () => load(at(older), save(at(2), { k: 1, i: 2 }), { k: 0 }),
        (error) => isKstateError(error, "VERSION_TOO_NEW") && error.detail.versionId === 2,
      );
    }
  });
});

describe("Removing field", () => {
  const old = defineState({
    name: "test",
    id: KSTATE_TEST_ID,
    versionId: 1,
    fields: [
      ["k", u16],
      ["i", i32],
    ],
  });
  const without = defineState({
    name: "test",
    id: KSTATE_TEST_ID,
    versionId: 2,
    fields: [
      ["k", u16.until(1)],
      ["i", i32],
    ], // KSTATE_BASE_TYPE_DEPRECATED(k, u16, 1)
  });

  test("If field is no longer needed it could be marked deprecated and bumping ->version_id of kstate_description", () => {
    assert.throws(
      () => defineState({ name: "test", id: 3, versionId: 1, fields: [["k", u16.until(1)]] }),
      (error) =>
        isKstateError(error, "DESCRIPTION_INVALID") && error.message.endsWith("raise versionId to 2"),
    );
    const state: StateOf<typeof without> = { i: 1 };
    // @ts-expect-error the state has no k any more
    void state.k;
  });

  test("The last parameter of the macro is the last version number that have this field", () => {
    const longer = defineState({
      name: "test",
      id: 3,
      versionId: 9,
      fields: [
        ["k", u16.until(4)],
        ["i", i32],
      ],
    });
    const writerAt = (versionId: number) =>
      defineState({
        name: "test",
        id: 3,
        versionId,
        fields:
          versionId <= 4
            ? [
                ["k", u16],
                ["i", i32],
              ]
            : [
                ["k", u16.until(4)],
                ["i", i32],
              ],
      }) as Description<{ k: number; i: number }>;
    for (const versionId of [0, 3, 4, 5, 9]) {
      const { state } = load(longer, save(writerAt(versionId), { k: 0xbeef, i: versionId }), { i: -1 });
      assert.deepEqual(state, { i: versionId });
    }
  });

  test("Old kernel will save such field, but new kernel will skip it on load", () => {
    assert.deepEqual(load(without, save(old, { k: 0xbeef, i: 10 }), { i: 0 }).state, { i: 10 });
  });

  test("Also the new kernel will not save such field (as there is nothing to save)", () => {
    assert.equal(dataSize(save(without, { i: 10 })), 4);
  });

  test("Such change is not backward compatible", () => {
    assert.throws(
      () => load(old, save(without, { i: 10 }), { k: 0, i: 0 }),
      (error) => isKstateError(error, "VERSION_TOO_NEW"),
    );
  });
});

describe("Adding new field", () => {
  const old = defineState({ name: "test_state", id: KSTATE_TEST_ID, versionId: 1, fields: [["k", u16]] });
  const added = defineState({
    name: "test_state",
    id: KSTATE_TEST_ID,
    versionId: 2,
    fields: [
      ["k", u16],
      ["i", i32.since(2)],
    ], // KSTATE_BASE_TYPE_V(i, struct kstate_test_data, int, 2)
  });

  test("Addition of new field can be done as version dependent field by using _V form: only version 2 and above have it", () => {
    assert.equal(dataSize(save(added, { k: 1, i: 2 })) - dataSize(save(old, { k: 1 })), 4);
  });

  test("If new kernel sees incoming 'test_state' of version 1 it will skip restoring '->i' as nothing was saved", () => {
    const { state, report } = load(added, save(old, { k: 1 }), { k: 0, i: 42 });
    assert.deepEqual(state, { k: 1, i: 42 });
    assert.deepEqual(report.kept, [{ description: "test_state", field: "i", count: 1 }]);
  });

  test("This is not backward compatible, as old kernel doesn't understand the new V2 'test_state'", () => {
    assert.throws(
      () => load(old, save(added, { k: 1, i: 2 }), { k: 0 }),
      (error) => isKstateError(error, "VERSION_TOO_NEW"),
    );
  });
});

describe("Subsections", () => {
  const testV2 = defineState({ name: "test_v2", id: KSTATE_TEST_ID_V2, fields: [["i", i32]] });
  const before = defineState({ name: "test_state", id: KSTATE_TEST_ID, fields: [["k", u16]] });
  const after = defineState({
    name: "test_state",
    id: KSTATE_TEST_ID,
    fields: [["k", u16]],
    subsections: [testV2],
  });

  test("Another option is adding subsection: an additional kstate_description which linked to the main one", () => {
    const { state } = load(after, save(after, { k: 1, i: 10 }), { k: 0, i: 0 });
    assert.deepEqual(state, { k: 1, i: 10 });
    const stream = save(after, { k: 1, i: 10 });
    const subsection = new DataView(stream.buffer, stream.byteOffset + 26);
    assert.deepEqual(
      [0, 4, 8, 12, 16].map((offset) => subsection.getInt32(offset, true)),
      [1, KSTATE_TEST_ID_V2, 0, 123, 4],
    );
  });

  test("Subsection must have a unique ->id", () => {
    const same = defineState({ name: "other", id: KSTATE_TEST_ID, fields: [["i", i32]] });
    assert.throws(
      () =>
        defineState({ name: "test_state", id: KSTATE_TEST_ID, fields: [["k", u16]], subsections: [same] }),
      (error) =>
        isKstateError(error, "DESCRIPTION_INVALID") && error.message.includes("has the id 3 of test_state"),
    );
  });

  test("If the receiving side finds a subsection with unknown id it will be ignored", () => {
    const { state } = load(before, save(after, { k: 1, i: 10 }), { k: 0 });
    assert.deepEqual(state, { k: 1 });
  });

  test("This make subsections suitable for backward compatible changes (migrate from N+1 to N kernel)", () => {
    const older = load(before, save(after, { k: 1, i: 10 }), { k: 0 }).state;
    const newer = load(after, save(before, older), { k: 0, i: 99 });
    assert.deepEqual(newer.state, { k: 1, i: 99 });
    assert.deepEqual(newer.report.kept, [{ description: "test_v2", field: "i", count: 1 }]);
  });
});
