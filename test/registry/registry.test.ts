import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  array,
  bitmap,
  blob,
  bytes,
  defineState,
  f64,
  isKstateError,
  list,
  map,
  NamedStreams,
  Registry,
  type StateOf,
  string,
  struct,
  typedArray,
  u8,
  u16,
  u32,
} from "kstate";

const text = string({ max: 100 });
const room = defineState({
  name: "room",
  id: 1,
  fields: [
    ["title", text],
    ["seats", u16],
  ],
});
const player = defineState({
  name: "player",
  id: 2,
  fields: [
    ["name", text],
    ["hp", u16],
  ],
});
type Room = StateOf<typeof room>;

describe("instances", () => {
  test("one description has many instances, by number and by string key, and one object many descriptions", () => {
    const position = defineState({ name: "position", id: 3, fields: [["x", u32]] });
    const hero = { name: "ann", hp: 5, x: 9 };
    const saved = new Registry();
    saved.register(room, { title: "one", seats: 1 });
    saved.register(room, { title: "minus", seats: 2 }, -7);
    saved.register(room, { title: "lobby", seats: 3 }, "lobby");
    saved.register(player, hero, "ann");
    saved.register(position, hero, "ann");
    const stream = saved.save();
    const rooms = [0, 1, 2].map(() => ({ title: "", seats: 0 })) as [Room, Room, Room];
    const loadedHero = { name: "", hp: 0, x: 0 };
    const loaded = new Registry();
    loaded.register(position, loadedHero, "ann");
    loaded.register(room, rooms[0], "lobby");
    loaded.register(room, rooms[1], -7);
    loaded.register(room, rooms[2]);
    loaded.register(player, loadedHero, "ann");
    const report = loaded.load(stream);
    assert.deepEqual(
      rooms.map(({ title }) => title),
      ["lobby", "minus", "one"],
    );
    assert.deepEqual(loadedHero, hero);
    assert.equal(report.restored.length, 5);
    assert.equal(loaded.size, 5);
  });

  test("a string key's id is its CRC-32, as the kernel's reserved memory has it", () => {
    const registry = new Registry();
    registry.register(room, { title: "t", seats: 1 }, "trace");
    const stream = registry.save();
    assert.equal(new DataView(stream.buffer, stream.byteOffset).getInt32(16, true), crcOf("trace"));
    assert.equal(crcOf("123456789"), 0xcbf43926 | 0, "the check value of CRC-32");
  });

  test("200,000 string keys, many with the same CRC-32, are told apart", () => {
    const many = 200_000;
    const counter = defineState({ name: "counter", id: 9, fields: [["n", u32]] });
    const objects = new Map(Array.from({ length: many }, (_, n) => [`room ${n * 7919}`, { n }] as const));
    const saved = new Registry();
    saved.registerAll(counter, objects);
    const stream = saved.save();
    const loadedObjects = new Map<string, { n: number }>();
    const loaded = new Registry();
    loaded.registerAll(counter, loadedObjects);
    loaded.load(stream);
    assert.equal(loadedObjects.size, many);
    for (const [key, { n }] of loadedObjects) assert.equal(key, `room ${n * 7919}`);
    const wireIds = new Set<number>();
    const view = new DataView(stream.buffer, stream.byteOffset);
    let collisions = 0;
    for (let i = 0; i < many; i++) wireIds.add(view.getInt32(4 + i * 24 + 12, true));
    assert.equal(wireIds.size, many, "ids in the stream are unique");
    const plain = new Set<number>();
    for (const key of objects.keys()) plain.has(crcOf(key)) ? collisions++ : plain.add(crcOf(key));
    assert.ok(collisions > 0, "these keys are known to collide");
  });

  test("keys whose CRC-32 collides keep apart when registered one by one, in any order", () => {
    const [one, two] = ["plumless", "buckeroo"];
    assert.equal(crcOf(one!), crcOf(two!));
    const saved = new Registry();
    saved.register(room, { title: "P", seats: 1 }, one!);
    saved.register(room, { title: "B", seats: 2 }, two!);
    saved.register(room, { title: "N", seats: 3 }, crcOf(one!));
    const stream = saved.save();
    const loaded = new Registry();
    const [p, b, n] = [0, 0, 0].map(() => ({ title: "", seats: 0 })) as [Room, Room, Room];
    loaded.register(room, b, two!);
    loaded.register(room, n, crcOf(one!));
    loaded.register(room, p, one!);
    loaded.load(stream);
    assert.deepEqual([p.title, b.title, n.title], ["P", "B", "N"]);
  });

  test("the same instance twice, and what is not registered, are errors", () => {
    const registry = new Registry();
    registry.register(room, { title: "", seats: 0 }, "lobby");
    assert.throws(
      () => registry.register(room, { title: "", seats: 0 }, "lobby"),
      (error) =>
        isKstateError(error, "INSTANCE_EXISTS") &&
        error.message ===
          'register: room#"lobby" is registered already; unregister it first or choose another instance id',
    );
    assert.throws(
      () => registry.unregister(room, 3),
      (error) =>
        isKstateError(error, "NOT_REGISTERED") && error.message === "unregister: room#3 is not registered",
    );
    registry.unregister(room, "lobby");
    assert.equal(registry.size, 0);
    for (const wrong of [1.5, 2 ** 31, "", Number.NaN]) {
      for (const attempt of [
        () => registry.register(room, { title: "", seats: 0 }, wrong),
        () => registry.registerAll(room, new Map([[wrong, { title: "", seats: 0 }]])),
      ]) {
        assert.throws(attempt, (error) => isKstateError(error, "INSTANCE_INVALID"));
      }
    }
    for (const attempt of [
      () => registry.register(room, null as never),
      () => registry.registerAll(room, null as never),
      () => registry.registerAll(room, new Set() as never),
      () => registry.registerAll(room, new Map([[1, null]]) as never),
    ]) {
      assert.throws(attempt, (error) => isKstateError(error, "INSTANCE_INVALID"));
    }
    for (const call of ["register", "registerAll"] as const) {
      for (const wrong of [undefined, null, {}, "room"]) {
        assert.throws(
          () => (registry[call] as (...args: unknown[]) => void)(wrong, new Map()),
          (error) => isKstateError(error, "DESCRIPTION_INVALID"),
        );
      }
    }
    assert.equal(registry.size, 0);
    const later = new Map<number, Room>();
    registry.registerAll(room, later);
    later.set(1.5, { title: "", seats: 0 });
    assert.throws(
      () => registry.save(),
      (error) => isKstateError(error, "INSTANCE_INVALID") && error.message.startsWith("save(room): "),
    );
    registry.unregister(room);
  });

  test("two descriptions with one name or one id are a conflict, nested ones too", () => {
    const registry = new Registry();
    registry.register(defineState({ name: "outer", id: 10, fields: [["room", struct(room)]] }), {
      room: { title: "", seats: 0 },
    });
    const sameId = defineState({ name: "other", id: 1, fields: [["a", u8]] });
    const sameName = defineState({ name: "room", id: 77, fields: [["a", u8]] });
    const hidden = defineState({
      name: "hidden",
      id: 78,
      fields: [["list", list(struct(sameId), { max: 1 })]],
    });
    assert.throws(
      () => registry.register(sameId, { a: 1 }),
      (error) =>
        isKstateError(error, "DESCRIPTION_CONFLICT") &&
        error.message ===
          "register: two different descriptions, other@0 and room@0, have the id 1; give one of them another",
    );
    for (const attempt of [
      () => registry.register(sameName, { a: 1 }),
      () => registry.register(hidden, { list: [] }),
    ]) {
      assert.throws(attempt, (error) => isKstateError(error, "DESCRIPTION_CONFLICT"));
    }
    assert.equal(registry.size, 1);
  });
});

describe("the bytes of a stream", () => {
  const bytesOf = defineState({
    name: "bytes",
    id: 40,
    fields: [
      ["odd", u8],
      ["blob", blob({ max: 9 })],
      ["typed", typedArray(f64, { max: 9 })],
      ["array", array(f64, 2)],
    ],
  });
  const unknown = defineState({ name: "unknown", id: 41, fields: [["blob", blob({ max: 9 })]] });
  const make = () => ({
    odd: 1,
    blob: Uint8Array.of(1, 2, 3),
    typed: Float64Array.of(0.5),
    array: Float64Array.of(1.5, 2.5),
  });

  test("may be a Buffer anywhere in memory, and nothing that was loaded or carried is still a part of it", () => {
    const saved = new Registry();
    saved.register(bytesOf, make());
    saved.register(unknown, { blob: Uint8Array.of(7) });
    const stream = saved.save();
    for (const offset of [0, 1, 3]) {
      const buffer = Buffer.alloc(stream.length + 8).fill(0xee);
      buffer.set(stream, offset);
      const state = {
        odd: 0,
        blob: new Uint8Array(0),
        typed: new Float64Array(0),
        array: new Float64Array(0),
      };
      const registry = new Registry();
      registry.register(bytesOf, state);
      registry.load(buffer.subarray(offset, offset + stream.length));
      const streams = new NamedStreams();
      streams.write("one", buffer.subarray(offset, offset + stream.length));
      buffer.fill(0xdd);
      assert.deepEqual(state, make());
      const claimed = { blob: new Uint8Array(0) };
      registry.register(unknown, claimed);
      assert.deepEqual(claimed.blob, Uint8Array.of(7));
      assert.deepEqual(streams.read("one"), stream);
    }
  });

  test("is what byte arrays are views of with zeroCopy, where none of their length is there", () => {
    const holding = defineState({
      name: "holding",
      id: 42,
      fields: [
        ["byName", map(text, blob({ max: 100 }), { max: 9 })],
        ["kept", blob({ max: 9 })],
        ["fixed", bytes(3)],
        ["bits", bitmap(9)],
        ["typed", typedArray(u8, { max: 9 })],
      ],
    });
    const value = () => ({
      byName: new Map([["a", Uint8Array.of(1, 2)]]),
      kept: Uint8Array.of(3),
      fixed: Uint8Array.of(4, 5, 6),
      bits: Uint8Array.of(7, 1),
      typed: Uint8Array.of(8),
    });
    const saved = new Registry();
    saved.register(holding, value());
    for (const codec of ["compiled", "reference"] as const) {
      const stream = Buffer.from(saved.save());
      const registry = new Registry({ codec });
      const kept = new Uint8Array(1);
      const state = { kept } as StateOf<typeof holding>;
      registry.register(holding, state);
      registry.load(stream, { zeroCopy: true });
      assert.deepEqual(state, value());
      assert.equal(state.kept, kept, "filled in place");
      const { byName, fixed, bits, typed } = state;
      for (const view of [byName.get("a")!, fixed]) {
        assert.equal(view.buffer, stream.buffer);
        assert.equal(Object.getPrototypeOf(view), Uint8Array.prototype, "also of a Buffer");
        const at = view.byteOffset - stream.byteOffset;
        assert.deepEqual(Uint8Array.from(stream.subarray(at, at + view.length)), view);
      }
      for (const copy of [kept, bits, typed]) assert.notEqual(copy.buffer, stream.buffer);
      assert.equal(registry.codecUse.compiledLoads, codec === "compiled" ? 1 : 0);
      const restored = {} as StateOf<typeof holding>;
      registry.restore(holding, restored, 0, stream, { zeroCopy: true });
      assert.equal(restored.kept.buffer, stream.buffer);
    }
  });

  test("may be in shared memory", () => {
    const saved = new Registry();
    saved.register(room, { title: "größer als vierundzwanzig Zeichen", seats: 2 });
    const stream = saved.save();
    const shared = new Uint8Array(new SharedArrayBuffer(stream.length));
    shared.set(stream);
    const state = { title: "", seats: 0 };
    const registry = new Registry();
    registry.register(room, state);
    registry.load(shared);
    assert.equal(state.title, "größer als vierundzwanzig Zeichen");
    const into = new Uint8Array(new SharedArrayBuffer(stream.length + 100));
    assert.deepEqual(registry.save({ into }), stream);
  });
});

describe("all instances of a map", () => {
  test("missing objects are made, surplus ones removed, others filled in place, in the stream's order", () => {
    const saved = new Registry();
    saved.registerAll(
      room,
      new Map([
        ["b", { title: "B", seats: 1 }],
        ["a", { title: "A", seats: 2 }],
      ]),
    );
    const stream = saved.save();
    class OwnRoom {
      title = "";
      seats = 0;
    }
    const kept = new OwnRoom();
    const rooms = new Map<string, OwnRoom>([
      ["gone", new OwnRoom()],
      ["a", kept],
    ]);
    const loaded = new Registry();
    loaded.registerAll(room, rooms, () => new OwnRoom());
    loaded.load(stream);
    assert.deepEqual([...rooms.keys()], ["b", "a"]);
    assert.equal(rooms.get("a"), kept);
    assert.ok(rooms.get("b") instanceof OwnRoom);
    assert.deepEqual({ ...rooms.get("b") }, { title: "B", seats: 1 });
  });

  test("instances that are left out because they are not needed stay as they are", () => {
    const idle = defineState({ name: "idle", id: 31, fields: [["n", u8]], needed: (state) => state.n > 0 });
    const saved = new Registry();
    saved.registerAll(
      idle,
      new Map([
        ["busy", { n: 5 }],
        ["idle", { n: 0 }],
        ["new", { n: 7 }],
      ]),
    );
    const objects = new Map([
      ["idle", { n: 3 }],
      ["busy", { n: 4 }],
    ]);
    const loaded = new Registry();
    loaded.registerAll(idle, objects);
    loaded.load(saved.save());
    assert.deepEqual(
      [...objects],
      [
        ["idle", { n: 3 }],
        ["busy", { n: 5 }],
        ["new", { n: 7 }],
      ],
    );
  });

  test("a map of a description that the writer did not know is left alone", () => {
    const objects = new Map([["a", { title: "A", seats: 1 }]]);
    const loaded = new Registry();
    loaded.registerAll(room, objects);
    loaded.load(new Registry().save());
    assert.equal(objects.size, 1);
  });

  test("a foreign stream fills a map by its numbers", () => {
    const saved = new Registry();
    const memory = defineState({ name: "memory", id: 5, fields: [["size", u32]] });
    saved.register(memory, { size: 1 }, 22);
    saved.register(memory, { size: 2 }, 11);
    const regions = new Map<number, { size: number }>();
    const loaded = new Registry();
    loaded.registerAll(memory, regions);
    loaded.load(saved.save({ trailer: false }), { foreign: true });
    assert.deepEqual(
      [...regions],
      [
        [22, { size: 1 }],
        [11, { size: 2 }],
      ],
    );
  });

  test("a load that fails leaves the map as it was", () => {
    const saved = new Registry();
    saved.registerAll(room, new Map([[1, { title: "B", seats: 1 }]]));
    const broken = defineState({
      name: "broken",
      id: 50,
      fields: [["a", u8]],
      postLoad: () => {
        throw new Error("no");
      },
    });
    saved.register(broken, { a: 1 });
    const mine = { title: "mine", seats: 9 };
    const rooms = new Map([[5, mine]]);
    const loaded = new Registry();
    loaded.registerAll(room, rooms);
    loaded.register(broken, { a: 2 });
    assert.throws(
      () => loaded.load(saved.save()),
      (error) => isKstateError(error, "HOOK_FAILED"),
    );
    assert.deepEqual([...rooms], [[5, mine]]);
    assert.equal(rooms.get(5), mine);
  });

  test("a description is registered one by one or as a map, not both", () => {
    const registry = new Registry();
    registry.registerAll(room, new Map<string, Room>());
    assert.throws(
      () => registry.register(room, { title: "", seats: 0 }),
      (error) => isKstateError(error, "INSTANCE_EXISTS"),
    );
    assert.throws(
      () => registry.registerAll(room, new Map<string, Room>()),
      (error) =>
        isKstateError(error, "INSTANCE_EXISTS") && error.message.startsWith("register: room is registered"),
    );
    registry.unregister(room);
    registry.register(room, { title: "", seats: 0 });
  });
});

describe("what the stream has and the program has not, and the other way round", () => {
  const streamOf = (register: (registry: Registry) => void) => {
    const registry = new Registry();
    register(registry);
    return registry.save();
  };

  test("an instance that the writer knew and did not save is missing, unless it is optional", () => {
    const stream = streamOf((registry) => registry.register(room, { title: "", seats: 1 }));
    const strict = new Registry();
    strict.register(room, { title: "", seats: 0 });
    strict.register(room, { title: "", seats: 0 }, 2);
    assert.throws(
      () => strict.load(stream),
      (error) =>
        isKstateError(error, "INSTANCE_MISSING") &&
        error.message ===
          "cannot load: the stream does not have room#2, which its writer knew; register with { optional: true } what may be missing",
    );
    const lenient = new Registry();
    lenient.register(room, { title: "", seats: 0 });
    lenient.register(room, { title: "", seats: 0 }, 2, { optional: true });
    assert.deepEqual(lenient.load(stream).missing, [{ description: "room", instanceId: 2 }]);
  });

  test("a description that the writer did not know is new, also if the writer had it inside another", () => {
    const party = defineState({ name: "party", id: 20, fields: [["leader", struct(player)]] });
    const stream = streamOf((registry) => registry.register(party, { leader: { name: "ann", hp: 1 } }));
    const registry = new Registry();
    registry.register(party, { leader: { name: "", hp: 0 } });
    registry.register(room, { title: "", seats: 0 });
    registry.register(player, { name: "own", hp: 1 });
    assert.deepEqual(registry.load(stream).new, [
      { description: "room", instanceId: 0 },
      { description: "player", instanceId: 0 },
    ]);
  });

  test("an instance that nobody registered is refused by its name", () => {
    const stream = streamOf((registry) => {
      registry.register(room, { title: "", seats: 1 });
      registry.register(room, { title: "", seats: 1 }, "lobby");
    });
    const registry = new Registry();
    const state = { title: "before", seats: 0 };
    registry.register(room, state);
    assert.throws(
      () => registry.load(stream),
      (error) =>
        isKstateError(error, "UNCLAIMED_INSTANCE") &&
        error.message ===
          'cannot load: nobody registered room#"lobby" of the stream; register them, or use registerAll',
    );
    assert.equal(state.title, "before");
  });

  test("what is not needed is not sent, and the reader that has it is told", () => {
    const idle = defineState({ name: "idle", id: 30, fields: [["n", u8]], needed: (state) => state.n > 0 });
    const stream = streamOf((registry) => registry.register(idle, { n: 0 }));
    const registry = new Registry();
    const state = { n: 7 };
    registry.register(idle, state);
    assert.deepEqual(registry.load(stream).missing, [{ description: "idle", instanceId: 0 }]);
    assert.equal(state.n, 7);
  });

  test("a description that changed its id, or an id its description, is refused", () => {
    const stream = streamOf((registry) => registry.register(room, { title: "", seats: 1 }));
    for (const [name, id] of [
      ["room", 99],
      ["hall", 1],
    ] as const) {
      const registry = new Registry();
      registry.register(
        defineState({
          name,
          id,
          fields: [
            ["title", text],
            ["seats", u16],
          ],
        }),
        { title: "", seats: 0 },
      );
      assert.throws(
        () => registry.load(stream),
        (error) => isKstateError(error, "DESCRIPTION_MISMATCH"),
        `${name} ${id}`,
      );
    }
  });

  test("verify throws what a load would throw, changes nothing and calls no hook", () => {
    let calls = 0;
    const hooked = defineState({
      name: "hooked",
      id: 60,
      fields: [["n", u8.check((n) => n < 100, "below 100")]],
      preLoad: () => void calls++,
      postLoad: () => void calls++,
      create: () => ({ made: calls++ }),
    });
    const loose = defineState({ name: "hooked", id: 60, fields: [["n", u8]] });
    const state = { n: 1 };
    const registry = new Registry();
    registry.register(hooked, state);
    registry.verify(streamOf((other) => other.register(loose, { n: 50 })));
    const wrong = [
      ["CHECK_FAILED", streamOf((other) => other.register(loose, { n: 200 }))],
      ["UNCLAIMED_INSTANCE", streamOf((other) => other.register(loose, { n: 2 }, 5))],
      ["STREAM_TRUNCATED", streamOf((other) => other.register(loose, { n: 50 })).slice(0, -1)],
    ] as const;
    for (const [code, stream] of wrong)
      assert.throws(
        () => registry.verify(stream),
        (error) => isKstateError(error, code),
      );
    assert.deepEqual([state, calls], [{ n: 1 }, 0]);
  });

  test("restore finds one instance or says that there is none", () => {
    const stream = streamOf((registry) => registry.register(room, { title: "T", seats: 1 }, "lobby"));
    const state = { title: "", seats: 0 };
    new Registry().restore(room, state, "lobby", stream);
    assert.equal(state.title, "T");
    assert.throws(
      () => new Registry().restore(room, state, 5, stream),
      (error) =>
        isKstateError(error, "INSTANCE_NOT_FOUND") &&
        error.message === "cannot restore room#5: the stream does not have it",
    );
  });

  test("registerRestore leaves nothing registered when the restore fails", () => {
    const stream = streamOf((registry) => registry.register(room, { title: "T", seats: 1 }));
    const narrow = defineState({
      name: "room",
      id: 1,
      fields: [
        ["title", string({ max: 0 })],
        ["seats", u16],
      ],
    });
    const registry = new Registry();
    assert.throws(
      () => registry.registerRestore(narrow, { title: "", seats: 0 }, 0, stream),
      (error) => isKstateError(error, "LIMIT_EXCEEDED"),
    );
    assert.equal(registry.size, 0);
  });
});

/** Bit by bit, to be independent of the code under test. */
function crcOf(key: string): number {
  let crc = -1;
  for (const byte of Buffer.from(key)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc;
}

test("code that was generated beforehand serves the first save and the first load", () => {
  const player = defineState({ name: "prepare.player", id: 31, fields: [["hp", u16]] });
  const room = defineState({
    name: "prepare.room",
    id: 32,
    fields: [["players", list(struct(player), { max: 100 })]],
  });
  const state = { players: [{ hp: 7 }] };
  const writer = new Registry();
  writer.register(room, state);
  writer.prepare("save");
  const stream = writer.save();
  const reader = new Registry();
  const loaded = { players: [] as { hp: number }[] };
  reader.register(room, loaded);
  reader.prepare("load");
  reader.load(stream);
  assert.deepEqual(loaded, state);
  assert.deepEqual([writer.codecUse.compiledSaves, reader.codecUse.compiledLoads], [1, 1]);
});

test("with onRefused all that can be saved is, and partial loads it", () => {
  const players = defineState({ name: "players", id: 31, fields: [["names", list(text, { max: 9 })]] });
  const refusing = defineState({
    name: "refusing",
    id: 32,
    fields: [["n", u8]],
    preSave(state) {
      if (state.n === 7) throw new Error("not now");
    },
  });
  const registryOf = (names: string[], count: number, n: number) => {
    const registry = new Registry();
    const objects = { names: { names }, counts: { n: count }, hooked: { n } };
    registry.register(players, objects.names, "all");
    registry.register(refusing, objects.counts, 1);
    registry.register(refusing, objects.hooked, 2);
    return { registry, objects };
  };
  const before = registryOf(["one", "\ud800"], 3, 7);
  const refused: string[] = [];
  const stream = before.registry.save({ onRefused: (instance) => refused.push(instance) });
  assert.deepEqual(refused, ['players#"all"', "refusing#2"]);

  const after = registryOf(["kept"], 0, 1);
  assert.throws(() => after.registry.load(stream), { code: "INSTANCE_MISSING" });
  const report = after.registry.load(stream, { partial: true });
  assert.deepEqual(after.objects, { names: { names: ["kept"] }, counts: { n: 3 }, hooked: { n: 1 } });
  assert.equal(report.missing.length, 2);
});
