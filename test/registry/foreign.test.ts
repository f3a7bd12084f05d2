import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { crc32 } from "node:zlib";
import {
  address,
  bool,
  char,
  type Description,
  defineState,
  isKstateError,
  list,
  Registry,
  ref,
  struct,
  u8,
  u32,
} from "kstate";

const memory = defineState({ name: "memory", id: 5, fields: [["size", u32]] });
type Memory = { size: number };

/** Two keys of one CRC-32. */
const [plumless, buckeroo] = ["plumless", "buckeroo"] as const;

interface Entry {
  readonly type?: number;
  readonly id: number;
  readonly version?: number;
  readonly instance?: number;
  readonly data: readonly number[];
}

/** A stream as a kernel writes it. */
function kernelStream(...entries: readonly Entry[]): Uint8Array {
  const parts = entries.flatMap(({ type = 2, id, version = 0, instance = 0, data }) => {
    const header = Buffer.alloc(20);
    for (const [i, value] of [type, id, version, instance, data.length].entries())
      header.writeInt32LE(value, 4 * i);
    return [header, Buffer.from(data)];
  });
  const magic = Buffer.alloc(4);
  magic.writeUInt32LE(0x3b37778c);
  return Buffer.concat([magic, ...parts, Buffer.alloc(4, 0xff)]);
}

const u32Bytes = (value: number) => [...Buffer.from(Uint32Array.of(value).buffer)];

for (const codec of ["auto", "reference"] as const) {
  describe(`addresses of a kernel (${codec})`, () => {
    const base = { name: "linear", at: 0xffff_8880_0000_0000n };
    const pointing = defineState({ name: "pointing", id: 9, fields: [["p", address(base)]] });

    for (const [what, value] of [
      ["NULL", 0n],
      ["what is below the base", 0x1000n],
      ["the base", base.at],
      ["the last", 0xffff_ffff_ffff_ffffn],
    ] as const) {
      test(`${what} wraps as in the kernel, and is saved as it was`, () => {
        const data = Buffer.alloc(8);
        data.writeBigUInt64LE(BigInt.asUintN(64, value - base.at));
        const stream = kernelStream({ id: 9, data: [...data] });
        const registry = new Registry({ codec });
        const state = { p: 1n };
        registry.register(pointing, state);
        registry.load(stream, { foreign: true });
        assert.equal(state.p, value);
        assert.deepEqual(Buffer.from(registry.save({ trailer: false })), stream);
      });
    }
  });

  describe(`fields that nobody wants any more (${codec})`, () => {
    const innerOne = defineState({ name: "inner", id: 11, fields: [["n", u8]] });
    const innerTwo = defineState({
      name: "inner",
      id: 11,
      versionId: 2,
      minVersionId: 2,
      fields: [["n", u32]],
    });
    const writer = defineState({
      name: "outer",
      id: 10,
      versionId: 1,
      fields: [
        ["one", struct(innerTwo)],
        ["many", list(struct(innerTwo), { max: 9 })],
        ["n", u8],
      ],
    });
    const reader = defineState({
      name: "outer",
      id: 10,
      versionId: 2,
      fields: [
        ["one", struct(innerOne).until(1)],
        ["many", list(struct(innerOne), { max: 9 }).until(1)],
        ["n", u8],
      ],
    });

    test("are passed over by their size where they hold a version that nobody here reads", () => {
      const saved = new Registry({ codec });
      saved.register(writer, { one: { n: 70_000 }, many: [{ n: 1 }, { n: 2 }], n: 3 });
      const state = { n: 0 };
      const registry = new Registry({ codec });
      registry.register(reader, state);
      registry.load(saved.save());
      assert.equal(state.n, 3);
    });

    test("in a kernel's stream, too; and what is wanted is refused as before", () => {
      const plain = (inner: Description<{ n: number }>, isWanted: boolean) =>
        defineState({
          name: "plain",
          id: 12,
          versionId: isWanted ? 1 : 2,
          fields: [["one", isWanted ? struct(inner) : struct(inner).until(1)] as never, ["n", u8]],
        });
      const inner = [...kernelStream({ id: 11, version: 2, data: u32Bytes(70_000) }).subarray(4, -4)];
      const stream = kernelStream({ id: 12, version: 1, data: [...inner, 3] });
      const state = { n: 0 };
      const registry = new Registry({ codec });
      registry.register(plain(innerOne as never, false) as never, state as never);
      registry.load(stream, { foreign: true });
      assert.equal(state.n, 3);
      const wanting = new Registry({ codec });
      wanting.register(plain(innerOne as never, true) as never, { one: { n: 1 }, n: 0 } as never);
      assert.throws(
        () => wanting.load(stream, { foreign: true }),
        (error) => isKstateError(error, "VERSION_TOO_NEW"),
      );
      stream[24 + 16] = 5; // the nested entry's size
      assert.throws(
        () => registry.load(stream, { foreign: true }),
        (error) => isKstateError(error, "STREAM_TRUNCATED") || isKstateError(error, "STREAM_CORRUPT"),
      );
      assert.equal(state.n, 3);
    });

    test("but not where they hold references: their numbers count", () => {
      const node = defineState({ name: "node", id: 13, fields: [["n", u8]] });
      const holding = (versionId: number) =>
        defineState({
          name: "holding",
          id: 14,
          versionId,
          minVersionId: versionId,
          fields: [["node", ref(node)]],
        });
      const before = defineState({
        name: "graph",
        id: 15,
        versionId: 1,
        fields: [
          ["gone", struct(holding(2))],
          ["kept", ref(node)],
        ],
      });
      const after = defineState({
        name: "graph",
        id: 15,
        versionId: 2,
        fields: [
          ["gone", struct(holding(1)).until(1)],
          ["kept", ref(node)],
        ],
      });
      const shared = { n: 5 };
      const saved = new Registry({ codec });
      saved.register(before, { gone: { node: shared }, kept: shared });
      const registry = new Registry({ codec });
      registry.register(after, { kept: null });
      assert.throws(
        () => registry.load(saved.save()),
        (error) => isKstateError(error, "VERSION_TOO_NEW"),
      );
    });
  });
}

describe("string keys without a trailer", () => {
  const registryOf = (...keys: (string | number)[]) => {
    const registry = new Registry();
    const states = keys.map((key, i) => {
      const state = { size: i + 1 };
      registry.register(memory, state, key);
      return state;
    });
    return { registry, states };
  };

  test("of one CRC-32 are refused on save by both names, whatever they were registered by", () => {
    for (const keys of [
      [plumless, buckeroo],
      [plumless, crc32(plumless) | 0],
      [crc32(plumless) | 0, plumless],
    ]) {
      const { registry } = registryOf(...keys);
      const all = new Registry();
      all.registerAll(memory, new Map<string | number, Memory>(keys.map((key) => [key, { size: 1 }])));
      for (const writer of [registry, all]) {
        assert.throws(
          () => writer.save({ trailer: false }),
          (error) => isKstateError(error, "KEYS_COLLIDE") && error.detail.instanceIds.length === 2,
        );
        writer.save();
      }
    }
  });

  test("of one CRC-32 are not swapped by a load: it is refused and nothing is changed", () => {
    const stream = registryOf(plumless).registry.save({ trailer: false });
    const { registry, states } = registryOf(buckeroo, plumless);
    assert.throws(
      () => registry.load(stream, { foreign: true }),
      (error) =>
        isKstateError(error, "KEYS_COLLIDE") &&
        error.message ===
          'cannot load without a trailer (foreign): memory#"buckeroo" and memory#"plumless" have one number, since a string key stands as its CRC-32; give one another key or number',
    );
    assert.deepEqual(states, [{ size: 1 }, { size: 2 }]);
    const alone = registryOf("other", buckeroo);
    alone.registry.load(stream, { foreign: true });
    assert.deepEqual(alone.states, [{ size: 1 }, { size: 1 }]);
  });

  test("of a map are found by their CRC-32 and stay keys; a number that is none of them is nobody's", () => {
    const stream = registryOf("low", "high").registry.save({ trailer: false });
    const regions = new Map<string, Memory>([
      ["high", { size: 0 }],
      ["low", { size: 0 }],
    ]);
    const registry = new Registry();
    registry.registerAll(memory, regions);
    registry.load(stream, { foreign: true });
    assert.deepEqual(Object.fromEntries(regions), { low: { size: 1 }, high: { size: 2 } });
    regions.delete("low");
    assert.throws(
      () => registry.load(stream, { foreign: true }),
      (error) => isKstateError(error, "UNCLAIMED_INSTANCE"),
    );
    assert.deepEqual([...regions.keys()], ["high"]);
  });
});

describe("what a kernel could not tell apart", () => {
  const bag = defineState({ name: "bag", id: 21, fields: [["items", u8]] });
  const owner = defineState({ name: "owner", id: 20, fields: [["n", u8]], subsections: [bag] });

  test("one id and instance as a section and as a subsection is refused without a trailer", () => {
    const registry = new Registry();
    registry.register(owner, { n: 1, items: 2 }, 7);
    registry.register(bag, { items: 3 }, 8);
    registry.save({ trailer: false });
    registry.register(bag, { items: 3 }, 7);
    registry.save();
    assert.throws(
      () => registry.save({ trailer: false }),
      (error) =>
        isKstateError(error, "KERNEL_CANNOT_READ") &&
        error.message ===
          "cannot save bag without a trailer: bag#7 is a subsection of owner#7 and a section of its own, which the kernel cannot tell apart; give one of them another instance id",
    );
  });

  const twice = kernelStream(
    { id: 99, data: [1] },
    { id: 5, data: u32Bytes(7) },
    { id: 99, data: [2] },
    { type: 1, id: 98, data: [3] },
    { type: 1, id: 98, data: [3] },
  );

  test("what stands twice and is not asked for bars neither a restore nor a foreign load", () => {
    for (const call of ["restore", "load"] as const) {
      const registry = new Registry();
      const state = { size: 0 };
      if (call === "load") {
        registry.register(memory, state);
        registry.load(twice, { foreign: true });
      } else registry.restore(memory, state, 0, twice, { foreign: true });
      assert.equal(state.size, 7);
    }
  });

  test("what is asked for must be there once, and so must all in a stream of ours", () => {
    const double = kernelStream({ id: 5, data: u32Bytes(7) }, { id: 5, data: u32Bytes(8) });
    const registry = new Registry();
    registry.register(memory, { size: 0 });
    for (const attempt of [
      () => registry.load(double, { foreign: true }),
      () => registry.restore(memory, { size: 0 }, 0, double, { foreign: true }),
      () => registry.load(twice),
    ]) {
      assert.throws(attempt, (error) => isKstateError(error, "STREAM_CORRUPT"));
    }
  });
});

describe("refusals of a kernel's bytes", () => {
  test("say what takes any bytes", () => {
    const cases = [
      [
        defineState({ name: "c", id: 1, fields: [["v", char(4)]] }),
        [0xff, 0x41, 0, 0],
        /UTF-8 \(bytes\(4\) takes any bytes\)/,
      ],
      [defineState({ name: "b", id: 1, fields: [["v", bool]] }), [2], /0 or 1 \(u8 takes any byte\)/],
    ] as const;
    for (const [description, data, message] of cases) {
      const registry = new Registry();
      registry.register(description as never, { v: 0 } as never);
      assert.throws(
        () => registry.load(kernelStream({ id: 1, data }), { foreign: true }),
        (error) => isKstateError(error) && message.test(error.message),
      );
    }
  });
});

describe("versionIds", () => {
  test("that name what is not registered are refused, and name what is", () => {
    const registry = new Registry();
    registry.register(memory, { size: 1 });
    assert.throws(
      () => registry.save({ versionIds: { memmory: 0 } }),
      (error) =>
        isKstateError(error, "DESCRIPTION_UNKNOWN") &&
        error.message ===
          "cannot save: versionIds names memmory, and nothing of that name is registered; there is memory",
    );
  });

  test("may name what was registered when they were negotiated, and what is carried", () => {
    const other = defineState({ name: "other", id: 6, fields: [["n", u8]] });
    const saved = new Registry();
    saved.register(memory, { size: 1 });
    saved.register(other, { n: 1 });
    const registry = new Registry();
    registry.register(memory, { size: 1 });
    registry.load(saved.save());
    registry.save({ versionIds: { memory: 0, other: 0 } });
    registry.unregister(memory);
    registry.save({ versionIds: { memory: 0 } });
  });
});
