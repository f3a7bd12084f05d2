import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  custom,
  type Description,
  defineState,
  isKstateError,
  list,
  Registry,
  type RegistryOptions,
  string,
  u8,
} from "kstate";

const text = string({ max: 100 });
const room = defineState({ name: "room", id: 1, fields: [["title", text]] });

type Room = { title: string };
type Hook = () => void;

/** The hooks of a lobby, by when they are called. */
const lobbyWith = (hooks: { preLoad?: Hook; postLoad?: Hook; preSave?: Hook; needed?: Hook }) =>
  defineState({
    name: "lobby",
    id: 2,
    fields: [["n", u8]],
    ...(hooks.preLoad === undefined ? {} : { preLoad: hooks.preLoad }),
    ...(hooks.postLoad === undefined ? {} : { postLoad: hooks.postLoad }),
    ...(hooks.preSave === undefined ? {} : { preSave: hooks.preSave }),
    ...(hooks.needed === undefined
      ? {}
      : {
          needed: () => {
            hooks.needed!();
            return true;
          },
        }),
  });
const plainLobby = lobbyWith({});

function savedRooms(ids: readonly (number | string)[]): Uint8Array {
  const registry = new Registry();
  registry.register(plainLobby, { n: 7 });
  for (const id of ids) registry.register(room, { title: `room ${id}` }, id);
  return registry.save();
}

const isRefused = (call: string, phase: string) => (error: unknown) =>
  isKstateError(error, "NOT_ALLOWED_NOW") && error.detail.call === call && error.detail.phase === phase;

for (const codec of ["auto", "reference"] as const) {
  describe(`registering while a load fills objects (${codec})`, () => {
    const options: RegistryOptions = { codec };

    for (const when of ["preLoad", "postLoad"] as const) {
      for (const id of [0, 5, "lounge"]) {
        test(`in ${when}, instance ${id} is filled from the stream, and the next save has it once`, () => {
          const registry = new Registry(options);
          const late: Room = { title: "" };
          registry.register(lobbyWith({ [when]: () => registry.register(room, late, id) }), { n: 0 });
          const report = registry.load(savedRooms([id]));
          assert.equal(late.title, `room ${id}`);
          assert.deepEqual(report.carried, []);
          assert.deepEqual(
            report.restored.map(({ description }) => description),
            ["room", "lobby"],
          );
          late.title = "changed";
          const again = new Registry(options);
          const last: Room = { title: "" };
          again.register(plainLobby, { n: 0 });
          again.register(room, last, id);
          assert.deepEqual(again.load(registry.save()).carried, []);
          assert.equal(last.title, "changed");
        });
      }

      test(`in ${when}, a map is filled from the stream`, () => {
        const registry = new Registry(options);
        const rooms = new Map<string | number, Room>();
        registry.register(lobbyWith({ [when]: () => registry.registerAll(room, rooms) }), { n: 0 });
        registry.load(savedRooms([3, "lounge"]));
        assert.deepEqual(
          [...rooms],
          [
            [3, { title: "room 3" }],
            ["lounge", { title: "room lounge" }],
          ],
        );
        const again = new Registry(options);
        again.register(plainLobby, { n: 0 });
        const last = new Map<string | number, Room>();
        again.registerAll(room, last);
        again.load(registry.save());
        assert.deepEqual(last, rooms);
      });
    }

    test("in create, what is made registers its parts", () => {
      const part = defineState({ name: "part", id: 3, fields: [["n", u8]] });
      const saved = new Registry(options);
      saved.registerAll(room, new Map([[1, { title: "one" }]]));
      saved.register(part, { n: 9 });
      const registry = new Registry(options);
      const state = { n: 0 };
      const rooms = new Map<number, Room>();
      registry.registerAll(room, rooms, () => {
        registry.register(part, state);
        return { title: "" };
      });
      registry.load(saved.save());
      assert.deepEqual([state, [...rooms]], [{ n: 9 }, [[1, { title: "one" }]]]);
    });

    test("if the load fails afterwards, what was registered is not any more, and all is as before", () => {
      const registry = new Registry(options);
      const earlier: Room = { title: "earlier" };
      const late: Room = { title: "late" };
      const failing = defineState({
        name: "failing",
        id: 4,
        fields: [["n", u8]],
        postLoad: () => {
          throw new Error("boom");
        },
      });
      const leaving = { n: 1 };
      let fail = true;
      const lobby = lobbyWith({
        postLoad: () => {
          registry.register(room, late, 5);
          registry.unregister(room, 4);
          if (fail) registry.register(failing, leaving);
        },
      });
      registry.register(lobby, { n: 0 });
      registry.register(room, earlier, 4);
      const saved = new Registry();
      saved.register(plainLobby, { n: 7 });
      saved.register(room, { title: "saved" }, 4);
      saved.register(failing, { n: 3 });
      const before = registry.save();
      assert.throws(
        () => registry.load(saved.save()),
        (error) => isKstateError(error, "HOOK_FAILED"),
      );
      assert.deepEqual([earlier, late, leaving], [{ title: "earlier" }, { title: "late" }, { n: 1 }]);
      assert.equal(registry.size, 2);
      assert.deepEqual(registry.save(), before);
      fail = false;
      registry.load(saved.save());
      assert.deepEqual(
        [earlier.title, registry.size],
        ["saved", 2],
        "the lobby and the room that was registered by its hook",
      );
    });
  });

  describe(`calls that would make nonsense of what is under way (${codec})`, () => {
    const options: RegistryOptions = { codec };
    const reading = (hook: Hook): Description<{ x: number }> =>
      defineState({
        name: "read",
        id: 5,
        fields: [
          [
            "x",
            custom<number>("x@1", {
              save: (value, writer) => writer.u8(value),
              load: (reader) => {
                hook();
                return reader.u8();
              },
            }),
          ],
        ],
      });

    for (const call of ["load", "verify"] as const) {
      test(`a custom reader can neither register nor unregister during a ${call}`, () => {
        const saved = new Registry(options);
        saved.register(
          reading(() => {}),
          { x: 3 },
        );
        const stream = saved.save();
        const registry = new Registry(options);
        const attempts: Record<string, Hook> = {
          register: () => registry.register(room, { title: "" }),
          registerAll: () => registry.registerAll(room, new Map()),
          unregister: () => registry.unregister(reader),
        };
        let hook: Hook = () => {};
        const reader = reading(() => hook());
        const state = { x: 1 };
        registry.register(reader, state);
        for (const [name, attempt] of Object.entries(attempts)) {
          hook = attempt;
          assert.throws(() => registry[call](stream), isRefused(name, "reading"));
          assert.deepEqual([state, registry.size], [{ x: 1 }, 1]);
        }
        hook = () => {};
        registry.load(stream);
        assert.equal(state.x, 3);
      });
    }

    for (const when of ["preSave", "needed"] as const) {
      test(`${when} can neither register nor load: what is saved was settled before`, () => {
        const attempts: Record<string, Hook> = {
          register: () => registry.register(room, { title: "" }),
          registerAll: () => registry.registerAll(room, new Map()),
          unregister: () => registry.unregister(lobby),
          load: () => void registry.load(savedRooms([])),
        };
        let hook: Hook = () => {};
        const registry = new Registry(options);
        const lobby = lobbyWith({ [when]: () => hook() });
        registry.register(lobby, { n: 1 });
        const before = registry.save();
        for (const [name, attempt] of Object.entries(attempts)) {
          hook = attempt;
          assert.throws(() => registry.save(), isRefused(name, "saving"));
          assert.equal(registry.size, 1);
        }
        hook = () => {};
        assert.deepEqual(registry.save(), before);
      });
    }

    test("a getter that registers while it is saved is refused by the instance's name", () => {
      const registry = new Registry(options);
      registry.register(plainLobby, {
        get n() {
          registry.register(room, { title: "" }, "lounge");
          return 1;
        },
      });
      assert.throws(
        () => registry.save(),
        (error) =>
          isRefused("register", "saving")(error) &&
          (error as Error).message ===
            'register(room#"lounge"): not while saving: what is saved was settled when the save began, and this would be missing; register it before or afterwards',
      );
    });

    test("a map that grows while it is saved is refused: the new instance would be missing", () => {
      const registry = new Registry(options);
      const rooms = new Map<number, { n: number }>([[1, { n: 1 }]]);
      const growing = defineState({
        name: "growing",
        id: 6,
        fields: [["n", u8]],
        preSave: () => void rooms.set(2, rooms.get(2) ?? { n: 2 }),
      });
      registry.registerAll(growing, rooms);
      assert.throws(
        () => registry.save(),
        (error) =>
          isKstateError(error, "VALUE_INVALID") &&
          error.message ===
            "cannot save growing: expected the 1 instance that its map had when the save began, found 2; change it before the save or afterwards",
      );
      registry.save();
      rooms.set(1, { n: 5 });
      const swapping = defineState({
        name: "swapping",
        id: 8,
        fields: [["n", u8]],
        preSave: () => void swapped.set(1, { n: 2 }),
      });
      const swapped = new Map<number, { n: number }>([[1, { n: 1 }]]);
      const other = new Registry(options);
      other.registerAll(swapping, swapped);
      assert.throws(
        () => other.save(),
        (error) => isKstateError(error, "VALUE_INVALID") && error.detail.found === "others",
      );
    });

    test("a hook that loads can neither save nor load again: objects are half filled", () => {
      const stream = savedRooms([]);
      const attempts: Record<string, Hook> = {
        save: () => void registry.save(),
        load: () => void registry.load(stream),
      };
      let hook: Hook = () => {};
      const registry = new Registry(options);
      const state = { n: 1 };
      registry.register(lobbyWith({ postLoad: () => hook() }), state);
      for (const [name, attempt] of Object.entries(attempts)) {
        hook = attempt;
        assert.throws(() => registry.load(stream), isRefused(name, "loading"));
        assert.equal(state.n, 1);
      }
      hook = () => registry.verify(stream);
      registry.load(stream);
      assert.equal(state.n, 7);
    });

    test("the same while a carried section fills an object that is registered", () => {
      const stream = savedRooms([]);
      const registry = new Registry(options);
      registry.load(stream);
      const state = { n: 1 };
      const lobby = lobbyWith({ postLoad: () => void registry.save() });
      assert.throws(() => registry.register(lobby, state), isRefused("save", "loading"));
      assert.deepEqual([state.n, registry.size], [1, 0]);
      registry.register(plainLobby, state);
      assert.equal(state.n, 7);
    });
  });
}

describe("a claim of carried sections", () => {
  const members = defineState({
    name: "members",
    id: 7,
    fields: [["names", list(text, { max: 9 })]],
  });

  test("is all or nothing for a map: if one cannot be filled, all are carried on", () => {
    const saved = new Registry();
    for (const id of [1, 2, 3]) saved.register(members, { names: [`n${id}`] }, id);
    let failures = 1;
    const failing = defineState({
      name: "members",
      id: 7,
      fields: [["names", list(text, { max: 9 })]],
      postLoad: ({ names }) => {
        if (names[0] === "n3" && failures-- > 0) throw new Error("boom");
      },
    });
    const registry = new Registry();
    registry.load(saved.save());
    const map = new Map<number, { names: string[] }>([[2, { names: ["mine"] }]]);
    assert.throws(
      () => registry.registerAll(failing, map),
      (error) => isKstateError(error, "HOOK_FAILED"),
    );
    assert.deepEqual([...map], [[2, { names: ["mine"] }]]);
    registry.registerAll(failing, map);
    assert.deepEqual(
      [...map.values()].map(({ names }) => names[0]),
      ["n2", "n1", "n3"],
    );
  });

  test("is taken back if registerRestore cannot restore: the section is carried on", () => {
    const saved = new Registry();
    saved.register(members, { names: ["carried"] });
    const registry = new Registry();
    registry.load(saved.save());
    const state = { names: ["mine"] };
    assert.throws(
      () => registry.registerRestore(members, state, 0, saved.save().subarray(0, 30)),
      (error) => isKstateError(error),
    );
    assert.equal(registry.size, 0);
    assert.deepEqual(state, { names: ["mine"] });
    registry.register(members, state);
    assert.deepEqual(state, { names: ["carried"] });
  });
});
