import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Description, isKstateError, Registry } from "kstate";
import {
  kernelCaseNames,
  kernelStream,
  outer,
  reservedMem,
  seedState,
  testV1,
  testV1WithK,
  testV2,
  testVForm,
} from "../golden/kernel.ts";

interface KernelCase {
  readonly name: string;
  readonly sections: () => (readonly [Description, object, number])[];
  readonly empty: () => (readonly [Description, object, number])[];
}

const emptySeed = () => ({ s: "", pUlong: { value: 0n }, folio: { address: 0n } });
const emptyMem = () => ({ name: "", start: 0n, size: 0n });

const cases: readonly KernelCase[] = [
  {
    name: "seed-v1",
    sections: () => [[testV1, seedState(), 123]],
    empty: () => [[testV1, emptySeed(), 123]],
  },
  {
    name: "seed-v2-subsection",
    sections: () => [[testV2, { ...seedState(), i: 10 }, 123]],
    empty: () => [[testV2, { ...emptySeed(), i: 0 }, 123]],
  },
  {
    name: "seed-v1-with-k",
    sections: () => [[testV1WithK, { ...seedState(), k: 0xbeef }, 123]],
    empty: () => [[testV1WithK, { ...emptySeed(), k: 0 }, 123]],
  },
  {
    name: "seed-vform-v2",
    sections: () => [[testVForm, { s: "abcdefghk", i: 10, pUlong: { value: 20n } }, 123]],
    empty: () => [[testVForm, { s: "", i: 0, pUlong: { value: 0n } }, 123]],
  },
  {
    name: "nested",
    sections: () => [
      [outer, { before: 0x1111, in: { lo: 0xaabbccdd, hi: 0x0102030405060708n }, after: 0x2222 }, 1],
    ],
    empty: () => [[outer, { before: 0, in: { lo: 0, hi: 0n }, after: 0 }, 1]],
  },
  {
    name: "many-instances",
    sections: () => [
      [reservedMem, { name: "trace", start: 0x20000000n, size: 0xc00000n }, 22],
      [reservedMem, { name: "oops", start: 0x10000000n, size: 0x200000n }, 11],
      [testV2, { ...seedState(), i: 10 }, 123],
    ],
    empty: () => [
      [testV2, { ...emptySeed(), i: 0 }, 123],
      [reservedMem, emptyMem(), 11],
      [reservedMem, emptyMem(), 22],
    ],
  },
  { name: "empty", sections: () => [], empty: () => [] },
];

function registryOf(sections: readonly (readonly [Description, object, number])[]): Registry {
  const registry = new Registry();
  for (const [description, object, instanceId] of sections)
    registry.register(description, object as never, instanceId);
  return registry;
}

describe("the kernel's streams", () => {
  test("every golden case is tested", () => {
    assert.deepEqual(cases.map(({ name }) => name).toSorted(), kernelCaseNames.toSorted());
  });

  for (const { name, sections, empty } of cases) {
    const golden = kernelStream(name);

    test(`${name}: saving gives the kernel's bytes`, () => {
      const stream = registryOf(sections()).save({ trailer: false });
      assert.equal(Buffer.from(stream).toString("hex"), Buffer.from(golden).toString("hex"));
    });

    test(`${name}: saving with a trailer begins with the kernel's bytes`, () => {
      const stream = registryOf(sections()).save();
      assert.deepEqual(stream.subarray(0, golden.length), golden);
      assert.equal(Buffer.from(stream.subarray(golden.length, golden.length + 4)).toString(), "KSTR");
    });

    test(`${name}: loading the kernel's bytes gives the values, whatever the order of registration`, () => {
      const objects = empty();
      registryOf(objects).load(golden, { foreign: true });
      const byInstance = (list: readonly (readonly [Description, object, number])[]) =>
        new Map(list.map(([{ name: description }, object, id]) => [`${description} ${id}`, object]));
      assert.deepEqual(byInstance(objects.toReversed()), byInstance(sections().toReversed()));
    });

    test(`${name}: bytes after the end mark are not looked at in a foreign stream`, () => {
      const longer = new Uint8Array([...golden, 1, 2, 3]);
      assert.doesNotThrow(() => registryOf(empty()).load(longer, { foreign: true }));
    });

    test(`${name}: without being told that it is foreign it is refused`, () => {
      assert.throws(
        () => registryOf(empty()).load(golden),
        (error) => isKstateError(error, "TRAILER_MISSING"),
      );
    });
  }

  test("version 2 skips the bytes of k that a version 1 writer saved, and keeps what version 1 does not have", () => {
    const state = { ...emptySeed(), i: 77 };
    const registry = registryOf([[testV2, state, 123]]);
    const report = registry.load(kernelStream("seed-v1-with-k"), { foreign: true });
    assert.deepEqual(state, { ...seedState(), i: 77 });
    assert.deepEqual(report.kept, [{ description: "test_v2", field: "i", count: 1 }]);
  });

  test("one instance is restored in any order, as kstate_restore() does", () => {
    const golden = kernelStream("many-instances");
    const registry = new Registry();
    const oops = emptyMem();
    registry.restore(reservedMem, oops, 11, golden, { foreign: true });
    assert.deepEqual(oops, { name: "oops", start: 0x10000000n, size: 0x200000n });
    const trace = emptyMem();
    assert.equal(registry.registerRestore(reservedMem, trace, 22, golden, { foreign: true }), true);
    assert.equal(trace.name, "trace");
    assert.equal(registry.registerRestore(reservedMem, emptyMem(), 33, golden, { foreign: true }), false);
    assert.equal(registry.size, 2);
  });
});
