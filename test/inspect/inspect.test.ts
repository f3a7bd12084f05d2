import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  custom,
  type Description,
  defineState,
  list,
  map,
  pointerArray,
  Registry,
  record,
  ref,
  string,
  struct,
  u8,
  u16,
  u32,
} from "kstate";
import {
  hexLines,
  type InspectEvent,
  indexStream,
  type StreamIndex,
  sourceOf,
  streamJson,
  treeLines,
  walkStream,
} from "#src/inspect/index.js";
import { crc32 } from "#src/stream/index.js";
import { everyKind, everyKindState } from "../registry/every-kind.js";
import { cases, describedBy } from "../stream/any-description.js";
import { assertFields, type JsonEntry, type JsonStream } from "./json-value.js";

function registryOf(description: Description, state: object, instanceId: number | string = 0): Registry {
  const registry = new Registry();
  registry.register(description, state as never, instanceId);
  return registry;
}

function indexOf(stream: Uint8Array): StreamIndex {
  return indexStream(sourceOf(stream), { crc32 });
}

function jsonOf(stream: Uint8Array): JsonStream {
  const index = indexOf(stream);
  return JSON.parse([...streamJson(walkStream(index), index.source, index.damages)].join("")) as JsonStream;
}

/** How often each byte is claimed by a value or a mark. */
function claims(stream: Uint8Array): Uint8Array {
  const counts = new Uint8Array(stream.length);
  for (const event of walkStream(indexOf(stream))) {
    if (event.type !== "leaf" && event.type !== "mark") continue;
    for (let i = event.offset; i < event.offset + event.size; i++) counts[i]! += 1;
  }
  return counts;
}

function assertBalanced(events: Iterable<InspectEvent>): void {
  const open: string[] = [];
  for (const event of events) {
    if (event.type === "open") open.push(event.form);
    if (event.type === "close") assert.equal(open.pop(), event.form);
  }
  assert.deepEqual(open, []);
}

describe("the inspector", () => {
  test("says of any value of any description what was saved, and whose each byte is", () => {
    fc.assert(
      fc.property(cases, ([fields, value]) => {
        const description = describedBy(fields, 1);
        const stream = registryOf(description, value).save();
        const { sections, damages } = jsonOf(stream);
        assert.equal(damages, undefined);
        assertFields(description, value, sections[0]!);
        assert.ok(claims(stream).every((count) => count === 1));
      }),
      { numRuns: 400, seed: 3 },
    );
  });

  test("shows a stream that is cut anywhere as far as it goes, with the place", () => {
    fc.assert(
      fc.property(cases, fc.nat(), ([fields, value], at) => {
        const stream = registryOf(describedBy(fields, 1), value).save();
        const cut = stream.slice(0, at % stream.length);
        const { damages } = jsonOf(cut);
        const end = indexOf(stream).end;
        if (cut.length !== end) assert.ok(damages !== undefined && damages.length > 0);
        for (const { offset } of damages ?? []) assert.ok(offset <= cut.length);
        assertBalanced(walkStream(indexOf(cut)));
        assert.ok(claims(cut).every((count) => count <= 1));
      }),
      { numRuns: 300, seed: 4 },
    );
  });

  test("never fails on a stream in which a byte is wrong, and says where", () => {
    fc.assert(
      fc.property(cases, fc.nat(), fc.integer({ min: 1, max: 255 }), ([fields, value], at, mask) => {
        const stream = registryOf(describedBy(fields, 1), value).save();
        stream[at % stream.length]! ^= mask;
        const { damages } = jsonOf(stream);
        assert.ok(damages !== undefined && damages.length > 0);
        const index = indexOf(stream);
        assertBalanced(walkStream(index));
        assert.ok([...treeLines(walkStream(index), index.source)].length > 0);
        assert.ok([...hexLines(walkStream(index), index.source)].length > 0);
      }),
      { numRuns: 400, seed: 5 },
    );
  });

  test("reads what stands before the damage of one section, and all other sections", () => {
    const user = defineState({
      name: "user",
      id: 1,
      fields: [
        ["hp", u16],
        ["name", string({ max: 9 })],
      ],
    });
    const registry = new Registry();
    for (const id of [1, 2, 3]) registry.register(user, { hp: id, name: `n${id}` }, id);
    const stream = registry.save();
    const second = indexOf(stream).entries[1]!;
    stream[second.offset + 22] = 0xff; // the length of its name
    const { sections, damages } = jsonOf(stream);
    assert.deepEqual(
      sections.map(({ fields, raw }) => [fields, raw]),
      [
        [{ hp: 1, name: "n1" }, undefined],
        [{ hp: 2 }, "ff0000006e32"],
        [{ hp: 3, name: "n3" }, undefined],
      ],
    );
    assert.deepEqual(damages?.at(-1), {
      offset: second.offset + 22,
      problem: "a length of 255 is above the limit of 9",
    });
    assert.match(damages?.[0]?.problem ?? "", /^the checksum of the data should be 0x\w+ and is 0x\w+/);
  });

  test("knows every kind; a custom field that is not the last hides what follows", () => {
    const stream = registryOf(everyKind as Description, everyKindState(), "golden").save();
    const { sections, damages } = jsonOf(stream);
    const [section] = sections as readonly [JsonEntry];
    assert.equal(damages, undefined);
    assert.equal(section.instanceId, "golden");
    assert.equal(section.fields.u64, "1311768467463790320");
    assert.equal(section.fields.folio, "20480");
    assert.equal("custom" in section.fields, false);
    assert.match(section.raw ?? "", /^0000803f00000040/);
    assert.deepEqual(section.subsections[0]?.fields, { spare: "spare" });
    assert.ok(claims(stream).every((count) => count === 1));
  });

  test("finds the end of a custom field by the fixed sizes behind it", () => {
    const codec = { save: (_: unknown, writer: { u32(n: number): void }) => writer.u32(7), load: () => 0 };
    const holder = defineState({
      name: "h",
      id: 1,
      fields: [
        ["a", u8],
        ["c", custom("x@1", codec)],
        ["b", u16],
      ],
    });
    const { sections } = jsonOf(registryOf(holder, { a: 1, c: 0, b: 2 }).save());
    assert.deepEqual(sections[0]?.fields, { a: 1, c: "07000000", b: 2 });
  });

  test("follows references to objects that are shared, in a circle, or the keys of a map", () => {
    interface Node {
      id: number;
      next: Node | null;
    }
    const node: Description<Node> = defineState({
      name: "node",
      id: 2,
      fields: [
        ["id", u8],
        ["next", ref(() => node)],
      ],
    });
    const holder = defineState({
      name: "holder",
      id: 1,
      fields: [
        ["first", ref(node)],
        ["again", ref(node)],
        ["byNode", map(ref(node), u8, { max: 9 })],
        ["none", ref(node)],
      ],
    });
    const one: Node = { id: 1, next: null };
    const two: Node = { id: 2, next: one };
    one.next = two;
    const three: Node = { id: 3, next: one };
    const state = {
      first: one,
      again: two,
      byNode: new Map([
        [three, 5],
        [one, 6],
      ]),
      none: null,
    };
    const stream = registryOf(holder as Description, state).save();
    const { sections } = jsonOf(stream);
    const fieldsOf = ({ objects }: { objects: JsonEntry[] }) => objects.map(({ fields }) => fields);
    const { first, again, byNode, none } = sections[0]!.fields as Record<string, { objects: JsonEntry[] }>;
    assert.deepEqual(fieldsOf(first!), [
      { id: 1, next: { ref: 2 } },
      { id: 2, next: { ref: 1 } },
    ]);
    assert.deepEqual([again, none], [{ ref: 2 }, null]);
    const [[key, value], second] = byNode as unknown as [[{ objects: JsonEntry[] }, number], unknown];
    assert.deepEqual([fieldsOf(key), value, second], [[{ id: 3, next: { ref: 1 } }], 5, [{ ref: 1 }, 6]]);
    assert.ok(claims(stream).every((count) => count === 1));
  });

  test("reads older versions, conditions, counted arrays and subsections inside of groups", () => {
    const note = defineState({
      name: "item/note",
      id: 3,
      fields: [["note", u8]],
      needed: (state) => state.note > 0,
    });
    const item = defineState({ name: "item", id: 2, fields: [["id", u8]], subsections: [note] });
    const box = defineState({
      name: "box",
      id: 1,
      versionId: 2,
      fields: [
        ["mode", u8],
        ["old", u16.until(1, { save: () => 77 })],
        ["count", u8],
        ["rows", pointerArray(u16, "count")],
        ["pain", u32.when("mode", ">", 3)],
        ["joy", u32.when("mode", "<=", 3)],
        ["items", list(struct(item), { max: 9 })],
        ["late", record([["x", u8.since(2)]])],
      ],
    });
    const items = [
      { id: 1, note: 0 },
      { id: 2, note: 9 },
    ];
    const state = { mode: 3, count: 2, rows: [5, 6], pain: 0, joy: 8, items, late: { x: 1 } };
    const stream = registryOf(box as Description, state).save({ versionIds: { box: 1 } });
    const [section] = jsonOf(stream).sections as readonly [JsonEntry];
    const { items: group, ...fields } = section.fields as Record<string, unknown> & { items: JsonEntry };
    assert.deepEqual(fields, { mode: 3, old: 77, count: 2, rows: [5, 6], joy: 8, late: {} });
    assert.deepEqual(group.elements, [{ id: 1 }, { id: 2 }]);
    assert.deepEqual(group.subsections[0]?.elements, [null, { note: 9 }]);
    assert.ok(claims(stream).every((count) => count === 1));
  });

  test("reads a large stream piece by piece", () => {
    const values = Array.from({ length: 300_000 }, (_, i) => i % 65536);
    const many = defineState({ name: "many", id: 1, fields: [["values", list(u16, { max: 1e6 })]] });
    const stream = registryOf(many, { values }).save();
    let largest = 0;
    let read = 0;
    const source = {
      size: stream.length,
      read: (offset: number, length: number) => {
        largest = Math.max(largest, length);
        read += length;
        return stream.subarray(offset, offset + length);
      },
    };
    const index = indexStream(source, { crc32 });
    let pieces = 0;
    let longest = 0;
    for (const piece of streamJson(walkStream(index), source, index.damages)) {
      pieces += 1;
      longest = Math.max(longest, piece.length);
    }
    assert.ok(pieces > values.length && longest < 200, `${pieces} pieces, the longest ${longest}`);
    assert.ok(largest <= 1024 * 1024 && read < 3 * stream.length, `${largest} at once, ${read} in all`);
    const lines = [...treeLines(walkStream(index), source)];
    assert.equal(lines.length, 103);
    assert.match(lines.at(-1)!, /… 299900 more; --all shows them$/);
    const all = [...treeLines(walkStream(index), source, { elements: Number.POSITIVE_INFINITY })];
    assert.match(all.at(-1)!, /^ +600004 +end of values$/);
  });
});
