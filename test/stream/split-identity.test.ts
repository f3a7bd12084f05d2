import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  array,
  type Description,
  defineState,
  isKstateError,
  list,
  map,
  oneOf,
  optional,
  pointer,
  Registry,
  record,
  ref,
  set,
  string,
  struct,
  u8,
  u32,
} from "kstate";

const player = defineState({
  name: "player",
  id: 1,
  fields: [
    ["name", string({ max: 20 })],
    ["score", u32],
  ],
});
const leader = ["leader", ref(player)] as const;

/** Refused by both codecs, with both paths. */
function assertSplit(register: (registry: Registry) => void, path: string, other: string): void {
  for (const codec of ["reference", "compiled"] as const) {
    const registry = new Registry({ codec });
    register(registry);
    assert.throws(
      () => registry.save(),
      (error) => {
        assert.ok(isKstateError(error, "IDENTITY_SPLIT"), String(error));
        assert.deepEqual([error.detail.path, error.detail.other], [path, other], codec);
        assert.match(error.message, /a load would make two of it; (describe both places as ref|save its id)/);
        return true;
      },
    );
  }
}

function assertSaved(description: Description, state: object): void {
  for (const codec of ["reference", "compiled"] as const) {
    const registry = new Registry({ codec });
    registry.register(description, state);
    registry.save();
  }
}

describe("an object that is owned and pointed to in one section is refused, whatever owns it", () => {
  const ann = { name: "ann", score: 1 };
  const other = { name: "bob", score: 2 };
  const own = [
    ["name", string({ max: 20 })],
    ["score", u32],
  ] as const;
  const cases: readonly (readonly [string, unknown, unknown, string])[] = [
    ["a struct", struct(player), ann, "team.own"],
    ["a struct that may be absent", optional(struct(player)), ann, "team.own"],
    ["a pointer's struct", pointer(struct(player)), ann, "team.own"],
    ["a record", record(own), ann, "team.own"],
    ["a struct in a list", list(struct(player), { max: 9 }), [other, ann], "team.own[1]"],
    ["a record in a list", list(record(own), { max: 9 }), [other, ann], "team.own[1]"],
    ["a struct in an array", array(struct(player), 2), [other, ann], "team.own[1]"],
    ["a struct in a set", set(struct(player), { max: 9 }), new Set([other, ann]), "team.own[1]"],
    [
      "a struct in a map",
      map(string({ max: 9 }), struct(player), { max: 9 }),
      new Map([["a", ann]]),
      'team.own["a"]',
    ],
    [
      "a variant",
      oneOf("kind", { person: own }),
      Object.assign(ann, { kind: "person" as const }),
      "team.own",
    ],
  ];
  for (const [title, kind, value, place] of cases) {
    test(title, () => {
      const team = defineState({ name: "team", id: 2, fields: [["own", kind as never], leader] });
      const state = { own: value, leader: ann };
      assertSplit((registry) => registry.register(team as Description, state), "team.leader", place);
      assertSaved(team as Description, { own: value, leader: { name: "eve", score: 3 } });
    });
  }
});

describe("wherever the two places are", () => {
  test("the reference comes first", () => {
    const team = defineState({ name: "team", id: 2, fields: [leader, ["own", struct(player)]] });
    const ann = { name: "ann", score: 1 };
    assertSplit((registry) => registry.register(team, { leader: ann, own: ann }), "team.leader", "team.own");
  });

  test("one is in a subsection", () => {
    const extra = defineState({ name: "extra", id: 3, fields: [leader] });
    const team = defineState({
      name: "team",
      id: 2,
      fields: [["own", struct(player)]],
      subsections: [extra],
    });
    const ann = { name: "ann", score: 1 };
    assertSplit((registry) => registry.register(team, { own: ann, leader: ann }), "team.leader", "team.own");
  });

  test("both are behind other references, and a chain of them may be long", () => {
    interface Link {
      readonly own: object;
      readonly best: object | null;
      next: Link | null;
    }
    const link: Description<Link> = defineState({
      name: "link",
      id: 4,
      fields: [
        ["own", struct(player)],
        ["best", ref(player)],
        ["next", ref(() => link)],
      ],
    }) as Description<Link>;
    const chain = defineState({ name: "chain", id: 5, fields: [["first", ref(link)]] });
    const ann = { name: "ann", score: 1 };
    const eve = { name: "eve", score: 1 };
    const last: Link = { own: eve, best: ann, next: null };
    const first: Link = { own: ann, best: null, next: last };
    assertSplit(
      (registry) => registry.register(chain as Description, { first }),
      "chain.first.next.best",
      "chain.first.own",
    );
    let long: Link = { own: ann, best: null, next: null };
    for (let i = 0; i < 20_000; i++) long = { own: { name: "", score: i }, best: null, next: long };
    assertSaved(chain as Description, { first: long });
  });
});

describe("a reference to a registered object is refused", () => {
  interface Room {
    name: string;
    next: Room | null;
  }
  const room: Description<Room> = defineState({
    name: "room",
    id: 6,
    fields: [
      ["name", string({ max: 9 })],
      ["next", ref(() => room)],
    ],
  });

  test("to another one, whichever is saved first", () => {
    const team = defineState({ name: "team", id: 2, fields: [leader] });
    const ann = { name: "ann", score: 1 };
    assertSplit(
      (registry) => {
        registry.register(team, { leader: ann });
        registry.register(player, ann, "ann");
      },
      "team.leader",
      'player#"ann"',
    );
    assertSplit(
      (registry) => {
        registry.registerAll(player, new Map([[7, ann]]));
        registry.register(team, { leader: ann });
      },
      "team.leader",
      "player#7",
    );
  });

  test("to its own section's, straight or in a circle", () => {
    const self: Room = { name: "hall", next: null };
    self.next = self;
    assertSplit((registry) => registry.register(room, self), "room.next", "room");
    const start: Room = { name: "hall", next: { name: "attic", next: null } };
    start.next!.next = start;
    assertSplit((registry) => registry.register(room, start), "room.next.next", "room");
  });

  test("but not to one that is registered and not needed", () => {
    const shy = defineState({
      name: "shy",
      id: 7,
      fields: [["name", string({ max: 9 })]],
      needed: () => false,
    });
    const team = defineState({ name: "team", id: 2, fields: [["best", ref(shy)]] });
    const ann = { name: "ann" };
    const registry = new Registry();
    registry.register(shy, ann, 1, { optional: true });
    registry.register(team, { best: ann });
    registry.save();
  });
});

describe("what is not written splits nothing", () => {
  test("an object in a field whose condition does not hold", () => {
    const ann = { name: "ann", score: 1 };
    const team = defineState({
      name: "team",
      id: 2,
      fields: [["kind", u8], ["own", struct(player).when("kind", "==", 1)], leader],
    });
    assertSaved(team as Description, { kind: 0, own: ann, leader: ann });
  });

  test("descriptions that cannot meet are not walked over: each member is read once", () => {
    const node = defineState({ name: "node", id: 8, fields: [["n", u8]] });
    const plan = defineState({
      name: "plan",
      id: 9,
      fields: [
        ["own", struct(player)],
        ["nodes", list(ref(node), { max: 9 })],
      ],
    });
    let reads = 0;
    const state = {
      own: { name: "ann", score: 1 },
      get nodes() {
        reads++;
        return [{ n: 1 }];
      },
    };
    const registry = new Registry();
    registry.register(plan, state);
    registry.save();
    assert.equal(reads, 1);
  });
});
