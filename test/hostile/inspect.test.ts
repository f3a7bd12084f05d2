/** The inspector believes neither a stream nor the descriptions that came with it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { KindRecord } from "#src/description/index.js";
import { excessOf } from "../support/steps.js";

const { parseLockRecord } = await import("#src/description/index.js");
const { diffStreams, hexLines, indexStream, sourceOf, streamJson, treeLines, valueReader, walkStream } =
  await import("#src/inspect/index.js");
const { crc32 } = await import("#src/stream/index.js");

type Field = { name: string; kind: KindRecord; when?: object[]; since?: number; until?: number };

const description = (name: string, id: number, fields: readonly Field[], subsections: string[] = []) => ({
  name,
  id,
  versionId: 3,
  minVersionId: 0,
  fields,
  subsections,
});

const lockOf = (...descriptions: object[]) => parseLockRecord(JSON.stringify({ format: 1, descriptions }));

/** A section of the description 1 with these bytes. */
function streamOf(data: Uint8Array, versionId = 1): Uint8Array {
  const head = Int32Array.of(0x3b37778c, 2, 1, versionId, 0, data.length);
  return Buffer.concat([new Uint8Array(head.buffer), data, Buffer.from([255, 255, 255, 255])]);
}

function indexOf(bytes: Uint8Array, ...descriptions: object[]) {
  return indexStream(sourceOf(bytes), { foreign: true, crc32, lock: lockOf(...descriptions) });
}

/** Everything that is made of a stream's events; gives the damages and the steps. */
function shown(index: ReturnType<typeof indexOf>): { problems: string[]; steps: number } {
  const problems: string[] = [];
  const reader = valueReader(index);
  for (const event of walkStream(index, undefined, reader))
    if (event.type === "damage") problems.push(event.problem);
  const { steps } = reader.work;
  for (const pieces of [
    treeLines(walkStream(index), index.source),
    hexLines(walkStream(index), index.source),
    streamJson(walkStream(index), index.source, index.damages),
  ])
    for (const piece of pieces) assert.equal(typeof piece, "string");
  return { problems, steps };
}

const u8 = { kind: "u8" };
const arrays = (element: KindRecord, count: number, depth: number): KindRecord =>
  depth === 0 ? element : { kind: "array", count, element: arrays(element, count, depth - 1) };
const tooMany = "the descriptions ask for far more values than so few bytes can hold";

describe("a few bytes that ask for values without end", () => {
  const endless: readonly (readonly [string, KindRecord])[] = [
    ["an array of values without bytes", arrays({ kind: "unused", size: 0 }, 0xffffffff, 1)],
    ["products of counts", arrays({ kind: "bytes", size: 0 }, 65_536, 4)],
    ["an array of empty records", arrays({ kind: "record", fields: [] }, 0xffffffff, 1)],
    ["an array of empty arrays", arrays(arrays(u8, 0, 1), 0xffffffff, 1)],
    [
      "an array of fields whose conditions do not hold",
      arrays(
        {
          kind: "record",
          fields: [{ name: "a", kind: u8, when: [{ field: "b", operator: "==", value: "1" }] }],
        },
        0xffffffff,
        1,
      ),
    ],
    [
      "an array of fields of other versions",
      arrays({ kind: "record", fields: [{ name: "a", kind: u8, since: 2 }] }, 0xffffffff, 1),
    ],
  ];
  for (const [title, kind] of endless) {
    test(title, () => {
      const index = indexOf(streamOf(Buffer.alloc(8)), description("d", 1, [{ name: "x", kind }]));
      const { problems, steps } = shown(index);
      assert.deepEqual(problems, [tooMany]);
      assert.ok(steps < 1_100_000, `${steps} steps`);
    });
  }
});

test("values that are deeper in each other than the stack allows are damage", () => {
  const chain = arrays({ kind: "struct", of: "d" }, 1, 60);
  const depth = 150;
  const words: number[] = [];
  for (let level = depth; level > 0; level--) words.unshift(1);
  const data: number[] = [];
  for (let level = 1; level <= depth; level++) data.push(2, 1, 1, 0, (depth - level) * 20);
  const index = indexOf(
    streamOf(new Uint8Array(Int32Array.from(data).buffer)),
    description("d", 1, [{ name: "x", kind: chain }]),
  );
  const { problems } = shown(index);
  assert.deepEqual(problems, ["values are deeper in each other than 1000"]);
  assert.deepEqual([...diffStreams(index, index)], []);
});

test("JSON that is nested too deep to be written is damage", () => {
  const json = "[".repeat(100_000) + "]".repeat(100_000);
  const data = Buffer.concat([Buffer.alloc(4), Buffer.from(json)]);
  data.writeUInt32LE(json.length);
  const index = indexOf(streamOf(data), description("d", 1, [{ name: "x", kind: { kind: "json" } }]));
  assert.deepEqual(shown(index).problems, ["JSON is nested deeper than 1000"]);
});

describe("the steps grow with the bytes and the elements alone", () => {
  const cases: readonly (readonly [string, (size: number) => ReturnType<typeof indexOf>])[] = [
    [
      "an entry of many fields",
      (size) => {
        const fields = Array.from({ length: size }, (_, i) => ({ name: `f${i}`, kind: u8 }));
        return indexOf(streamOf(Buffer.alloc(size)), description("d", 1, fields));
      },
    ],
    [
      "an enumeration of many names",
      (size) => {
        const names = Array.from({ length: size + 1 }, (_, i) => `n${i}`);
        const kind = { kind: "array", count: size, element: { kind: "enumeration", names } };
        return indexOf(streamOf(Buffer.alloc(2 * size)), description("d", 1, [{ name: "x", kind }]));
      },
    ],
    [
      "a record of many fields of other versions",
      (size) => {
        const fields = Array.from({ length: size }, (_, i) => ({ name: `f${i}`, kind: u8, since: 2 }));
        const element = { kind: "record", fields: [{ name: "f", kind: u8 }, ...fields] };
        const kind = { kind: "array", count: size, element };
        return indexOf(streamOf(Buffer.alloc(size)), description("d", 1, [{ name: "x", kind }]));
      },
    ],
    [
      "many subsections inside of a struct, of many descriptions",
      (size) => {
        const parts = Array.from({ length: size }, (_, i) => description(`s${i}`, i + 3, []));
        const data: number[] = [2, 2, 1, 0, 20 * size];
        for (let i = 0; i < size; i++) data.push(1, i + 3, 1, 0, 0);
        const bytes = streamOf(new Uint8Array(Int32Array.from(data).buffer));
        const field = { name: "x", kind: { kind: "struct", of: "e" } };
        return indexOf(bytes, description("d", 1, [field]), description("e", 2, []), ...parts);
      },
    ],
  ];
  for (const [title, indexFor] of cases) {
    test(title, () => {
      const excess = excessOf((size) => {
        const index = indexFor(size);
        return () => shown(index);
      }, 1_000);
      assert.ok(excess < 0.3, `twice the input takes ${(excess + 2).toFixed(2)} times the steps`);
    });
  }
});

describe("a record that is not whole, or says something twice, is refused where it is read", () => {
  const field = (kind: object) => description("d", 1, [{ name: "x", kind: kind as KindRecord }]);
  const cases: readonly (readonly [object | readonly object[], RegExp])[] = [
    [field({ kind: "list", max: 1 }), /list with element/],
    [field({ kind: "map", key: u8 }), /map with value/],
    [field({ kind: "set" }), /set with element/],
    [field({ kind: "optional" }), /optional with element/],
    [field({ kind: "pointer" }), /pointer with element/],
    [field({ kind: "array", element: u8 }), /array with count/],
    [field({ kind: "array", element: u8, count: "n" }), /a number as its count/],
    [field({ kind: "struct" }), /struct with of/],
    [field({ kind: "ref" }), /ref with of/],
    [field({ kind: "record" }), /record with fields/],
    [field({ kind: "oneOf", tag: "t" }), /oneOf with variants/],
    [field({ kind: "enumeration" }), /enumeration with names/],
    [field({ kind: "enumeration", names: ["a", "a"] }), /each name of an enumeration once/],
    [field({ kind: "char" }), /char with size/],
    [[description("d", 1, []), description("d", 2, [])], /each description once, found "d" again/],
    [
      description("d", 1, [
        { name: "x", kind: u8 },
        { name: "x", kind: u8 },
      ]),
      /each field once in a version/,
    ],
    [description("", 1, []), /a name of 1 to 255 characters/],
    [description("d", 1, [{ name: "__proto__", kind: u8 }]), /other than __proto__/],
    [description("d", 1, [{ name: "n".repeat(256), kind: u8 }]), /a name of 1 to 255 characters/],
  ];
  for (const [descriptions, problem] of cases)
    test(String(problem), () => assert.throws(() => lockOf(...[descriptions].flat()), problem));

  test("one name may stand twice in versions that do not overlap", () => {
    const fields = [
      { name: "x", kind: u8, until: 1 },
      { name: "x", kind: { kind: "u16" }, since: 2 },
    ];
    assert.equal(lockOf(description("d", 1, fields)).descriptions[0]?.fields.length, 2);
  });

  test("a kind that this kstate does not know is kept", () => {
    const kind = { kind: "quaternion" } as KindRecord;
    assert.deepEqual(
      lockOf(description("d", 1, [{ name: "x", kind }])).descriptions[0]?.fields[0]?.kind,
      kind,
    );
  });
});
