/** For every rule a pair of programs that it finds something in, and a near miss. */

import {
  type AnyField,
  bool,
  bytes,
  char,
  custom,
  type Description,
  defineState,
  enumeration,
  type FieldList,
  i32,
  list,
  map,
  oneOf,
  optional,
  record,
  ref,
  string,
  struct,
  u8,
  u16,
  u32,
  u64,
} from "kstate";

export interface Program {
  readonly sections: readonly Description[];
}

export interface RuleCase {
  readonly old: Program;
  readonly new: Program;
}

export interface RuleCases {
  readonly fires: RuleCase;
  /** What the rule must say about: `player.hp`, and in which directions. */
  readonly about: readonly [subject: string, directions: string];
  readonly misses: RuleCase;
}

type Pairs = readonly (readonly [string, AnyField])[];
interface Options {
  readonly name?: string;
  readonly id?: number;
  readonly version?: number;
  readonly min?: number;
  readonly subsections?: readonly Description[];
  readonly needed?: boolean;
}

function player(fields: Pairs, options: Options = {}): Description {
  const { name = "player", id = 1, version = 1, min = 0, subsections = [], needed = false } = options;
  return defineState({
    name,
    id,
    versionId: version,
    minVersionId: min,
    fields: fields as FieldList,
    subsections,
    ...(needed ? { needed: () => true } : {}),
  }) as Description;
}

function program(...sections: readonly Description[]): Program {
  return { sections };
}

function pair(old: Description | Program, next: Description | Program): RuleCase {
  const of = (side: Description | Program) => ("sections" in side ? side : program(side));
  return { old: of(old), new: of(next) };
}

function hooked(postLoad: () => void): Description {
  return defineState({ name: "player", id: 1, versionId: 1, fields: [["hp", u16]], postLoad }) as Description;
}

const text = string({ max: 20 });
const codec = { save() {}, load: () => 0 };
const hp: Pairs = [["hp", u16]];
const two: Pairs = [
  ["hp", u16],
  ["armour", u16],
];
const note = player([["note", text]], { name: "player/note", id: 9 });
const noteHolder = (subsections: readonly Description[]) =>
  program(player([["inner", struct(player(hp, { name: "inner", id: 2, subsections }))]]));

export const ruleCases: Readonly<Record<string, RuleCases>> = {
  "id-changed": {
    fires: pair(player(hp), player(hp, { id: 2 })),
    about: ["player", "update rollback"],
    misses: pair(player(hp), player(hp, { version: 2 })),
  },
  "code-changed": {
    fires: pair(
      hooked(() => {}),
      hooked(() => void 1),
    ),
    about: ["player", "update rollback"],
    misses: pair(
      hooked(() => {}),
      hooked(() => {}),
    ),
  },
  "check-code-changed": {
    fires: pair(
      player([["hp", u16.check((hp) => hp > 1, "x")]]),
      player([["hp", u16.check((hp) => hp > 2, "x")]]),
    ),
    about: ["player.hp", "update rollback"],
    misses: pair(
      player([["hp", u16.check((hp) => hp > 1, "x")]]),
      player([["hp", u16.check((hp) => hp > 1, "y")]]),
    ),
  },
  "id-reused": {
    fires: pair(player(hp), player([["mana", u16]], { name: "wizard" })),
    about: ["wizard", "update rollback"],
    misses: pair(player(hp), program(player(hp), player([["mana", u16]], { name: "wizard", id: 2 }))),
  },
  "description-renamed": {
    fires: pair(player(hp), player(hp, { name: "hero" })),
    about: ["hero", "update rollback"],
    misses: pair(player(hp), player([["mana", u16]], { name: "wizard" })),
  },
  "description-removed": {
    fires: pair(program(player(hp), player(hp, { name: "bot", id: 2 })), player(hp)),
    about: ["bot", "update"],
    misses: pair(program(player(hp), player(hp, { name: "bot", id: 2 })), player(hp, { id: 2 })),
  },
  "section-withdrawn": {
    fires: (() => {
      const inner = player(hp, { name: "inner", id: 2 });
      const outer = player([["inner", struct(inner)]]);
      return pair(program(outer, inner), outer);
    })(),
    about: ["inner", "update"],
    misses: (() => {
      const inner = player(hp, { name: "inner", id: 2 });
      const outer = player([["inner", struct(inner)]]);
      return pair(outer, program(outer, inner));
    })(),
  },
  "version-lowered": {
    fires: pair(player([...hp, ["mana", u16.since(2)]], { version: 2 }), player(hp)),
    about: ["player", "update"],
    misses: pair(player(hp), player([...hp, ["mana", u16.since(2)]], { version: 2 })),
  },
  "minimum-raised": {
    fires: pair(player(hp, { version: 3 }), player(hp, { version: 4, min: 2 })),
    about: ["player", "update"],
    misses: pair(player(hp, { version: 3, min: 2 }), player(hp, { version: 4, min: 1 })),
  },
  "no-common-version": {
    fires: pair(player(hp, { version: 5, min: 4 }), player(hp, { version: 3 })),
    about: ["player", "rollback"],
    misses: pair(player(hp, { version: 5, min: 3 }), player(hp, { version: 3 })),
  },
  "field-kind-changed": {
    fires: pair(player(hp), player([["hp", text]])),
    about: ["player.hp", "update rollback"],
    misses: pair(player([["hp", u64]]), player([["hp", u64.safe]])),
  },
  "field-width-changed": {
    fires: pair(player([["nick", char(10)]]), player([["nick", char(12)]])),
    about: ["player.nick", "update rollback"],
    misses: pair(
      player([["hp", u16]]),
      player(
        [
          ["hp", u16.until(1, { save: () => 0, load() {} })],
          ["hp", u32.since(2)],
        ],
        { version: 2 },
      ),
    ),
  },
  "field-moved": {
    fires: pair(player(two), player([two[1]!, two[0]!])),
    about: ["player.armour", "update rollback"],
    misses: pair(player(two), player([two[0]!, ["mana", u8.since(2, 0)], two[1]!], { version: 2 })),
  },
  "field-removed": {
    fires: pair(player(two), player(hp, { version: 2 })),
    about: ["player.armour", "update rollback"],
    misses: pair(player(two), player([...hp, ["armour", u16.until(1)]], { version: 2 })),
  },
  "field-inserted": {
    fires: pair(player(hp), player(two)),
    about: ["player.armour", "update rollback"],
    misses: pair(player(hp), player([...hp, ["armour", u16.since(2)]], { version: 2 })),
  },
  "field-renamed": {
    fires: pair(player(hp), player([["health", u16]])),
    about: ["player.health", "update rollback"],
    misses: pair(player(hp), player([["health", u16.was("hp")]])),
  },
  "field-versions-changed": {
    fires: pair(
      player([...hp, ["mana", u16.since(1)]], { version: 2 }),
      player([...hp, ["mana", u16.since(3)]], { version: 3 }),
    ),
    about: ["player.mana", "update rollback"],
    misses: pair(
      player([...hp, ["mana", u16.since(2)]], { version: 3, min: 2 }),
      player([...hp, ["mana", u16.since(1)]], { version: 3, min: 2 }),
    ),
  },
  "condition-changed": {
    fires: pair(
      player([...hp, ["pain", u16.when("hp", "<", 5)]]),
      player([...hp, ["pain", u16.when("hp", "<", 6)]]),
    ),
    about: ["player.pain", "update rollback"],
    misses: pair(
      player([...hp, ["pain", u16.when("hp", "<", 5)]]),
      player([
        ["health", u16.was("hp")],
        ["pain", u16.when("health", "<", 5)],
      ]),
    ),
  },
  "custom-format-changed": {
    fires: pair(player([["at", custom("geo@1", codec)]]), player([["at", custom("geo@2", codec)]])),
    about: ["player.at", "update rollback"],
    misses: pair(player([["at", custom("geo@1", codec)]]), player([["at", custom("geo@1", { ...codec })]])),
  },
  "enumeration-changed": {
    fires: pair(player([["mode", enumeration(["a", "b"])]]), player([["mode", enumeration(["b", "a"])]])),
    about: ["player.mode", "update rollback"],
    misses: pair(
      player([["mode", enumeration(["a", "b"])]]),
      player([["mode", enumeration(["a", "b", "c"])]]),
    ),
  },
  "variants-changed": {
    fires: pair(
      player([["shape", oneOf("kind", { dot: [], line: [["to", u8]] })]]),
      player([["shape", oneOf("kind", { line: [["to", u8]], dot: [] })]]),
    ),
    about: ["player.shape", "update rollback"],
    misses: pair(
      player([["shape", oneOf("kind", { dot: [] })]]),
      player([["shape", oneOf("kind", { dot: [], line: [["to", u8]] })]]),
    ),
  },
  "rollback-not-writable": {
    fires: pair(player(two), player([...hp, ["armour", u16.until(1)]], { version: 2 })),
    about: ["player.armour", "rollback"],
    misses: pair(player(two), player([...hp, ["armour", u16.until(1, { save: () => 7 })]], { version: 2 })),
  },
  "field-lost": {
    fires: pair(
      player([...hp, ["mana", u16.since(2)]], { version: 2 }),
      player([...hp, ["mana", u16.since(2).until(2)]], { version: 3 }),
    ),
    about: ["player.mana", "rollback"],
    misses: pair(
      player([...hp, ["mana", u16.since(2)]], { version: 2 }),
      player([...hp, ["mana", u16.since(2).until(2, { save: () => 0 })]], { version: 3 }),
    ),
  },
  "retyped-without-load": {
    fires: pair(
      player(hp),
      player(
        [
          ["hp", u16.until(1, { save: () => 0 })],
          ["hp", u32.since(2)],
        ],
        { version: 2 },
      ),
    ),
    about: ["player.hp", "update"],
    misses: pair(
      player(hp),
      player(
        [
          ["hp", u16.until(1, { save: () => 0, load() {} })],
          ["hp", u32.since(2)],
        ],
        { version: 2 },
      ),
    ),
  },
  "subsection-removed": {
    fires: pair(noteHolder([note]), noteHolder([])),
    about: ["inner.player/note", "rollback"],
    misses: pair(noteHolder([]), noteHolder([note])),
  },
  "limit-changed": {
    fires: pair(player([["bag", list(u8, { max: 9 })]]), player([["bag", list(u8, { max: 5 })]])),
    about: ["player.bag", "update"],
    misses: pair(
      player([["bag", list(u8, { max: 9 })]]),
      player([["bag", list(u8, { max: 9 })]], { version: 2 }),
    ),
  },
  "range-changed": {
    fires: pair(player([["gold", u64]]), player([["gold", u64.safe]])),
    about: ["player.gold", "update"],
    misses: pair(player([["gold", u64.safe]]), player([["gold", u64.safe]])),
  },
  "enumeration-extended": {
    fires: pair(player([["mode", enumeration(["a"])]]), player([["mode", enumeration(["a", "b"])]])),
    about: ["player.mode", "rollback"],
    misses: pair(player([["mode", enumeration(["a", "b"])]]), player([["mode", enumeration(["b", "a"])]])),
  },
  "variants-extended": {
    fires: pair(
      player([["shape", oneOf("kind", { dot: [], line: [] })]]),
      player([["shape", oneOf("kind", { dot: [] })]]),
    ),
    about: ["player.shape", "update"],
    misses: pair(
      player([["shape", oneOf("kind", { dot: [], line: [] })]]),
      player([["shape", oneOf("kind", { line: [] })]]),
    ),
  },
  "default-missing": {
    fires: pair(player(hp), player([...hp, ["mana", u16.since(2)]], { version: 2 })),
    about: ["player.mana", "update"],
    misses: pair(player(hp), player([...hp, ["mana", u16.since(2, 0)]], { version: 2 })),
  },
  "needed-changed": {
    fires: pair(player(hp), player(hp, { needed: true })),
    about: ["player", "rollback"],
    misses: pair(player(hp, { needed: true }), player(hp, { needed: true, version: 2 })),
  },
  "kept-streams-refused": {
    fires: pair(
      player([...hp, ["mana", u16.until(1, { save: () => 0 })]], { version: 2 }),
      player(hp, { version: 2 }),
    ),
    about: ["player", "update rollback"],
    misses: pair(
      player([...hp, ["mana", u16.until(1, { save: () => 0 })]], { version: 2 }),
      player(hp, { version: 2, min: 2 }),
    ),
  },
  "field-not-written-back": {
    fires: pair(player(hp), player([...hp, ["mana", u16.since(2, 0)]], { version: 2 })),
    about: ["player.mana", "rollback"],
    misses: pair(player(hp), player(hp, { subsections: [note] })),
  },
  "subsection-added": {
    fires: pair(noteHolder([]), noteHolder([note])),
    about: ["inner.player/note", "rollback"],
    misses: pair(player(hp), player(hp, { subsections: [note] })),
  },
  "default-changed": {
    fires: pair(
      player([...hp, ["mana", u16.since(1, 5)]]),
      player([...hp, ["mana", u16.since(1, 6)]], { version: 2 }),
    ),
    about: ["player.mana", "update"],
    misses: pair(
      player([...hp, ["mana", u16.since(1, 5)]]),
      player([...hp, ["energy", u16.was("mana").since(1, 5)]], { version: 2 }),
    ),
  },
  "in-place-layout-changed": {
    fires: pair(player(hp), player([...hp, ["mana", u16.since(2, 0)]], { version: 2 })),
    about: ["player", "update rollback"],
    misses: pair(
      player([["nick", text]]),
      player(
        [
          ["nick", text],
          ["mana", u16.since(2, 0)],
        ],
        { version: 2 },
      ),
    ),
  },
};

/** Changes deep inside of kinds, and the rule that must see each. */
export const nestedCases: readonly (readonly [rule: string, subject: string, RuleCase])[] = [
  [
    "field-width-changed",
    "player.bag.weight",
    pair(
      player([["bag", list(record([["weight", u8]]), { max: 3 })]]),
      player([["bag", list(record([["weight", u16]]), { max: 3 })]]),
    ),
  ],
  [
    "field-kind-changed",
    "player.friends",
    pair(
      player([["friends", map(u32, text, { max: 3 })]]),
      player([["friends", map(text, text, { max: 3 })]]),
    ),
  ],
  [
    "field-inserted",
    "player.shape.line.width",
    pair(
      player([["shape", oneOf("kind", { line: [["to", u8]] })]]),
      player([
        [
          "shape",
          oneOf("kind", {
            line: [
              ["to", u8],
              ["width", u8],
            ],
          }),
        ],
      ]),
    ),
  ],
  [
    "limit-changed",
    "player.bag.names",
    pair(
      player([["bag", optional(record([["names", list(text, { max: 5 })]]))]]),
      player([["bag", optional(record([["names", list(text, { max: 4 })]]))]]),
    ),
  ],
  [
    "field-kind-changed",
    "player.friend",
    pair(
      player([["friend", struct(player(hp, { name: "cat", id: 2 }))]]),
      player([["friend", ref(player(hp, { name: "cat", id: 2 }))]]),
    ),
  ],
  [
    "default-missing",
    "player.pos.z",
    pair(
      player([["pos", record([["x", i32]])]]),
      player(
        [
          [
            "pos",
            record([
              ["x", i32],
              ["z", i32.since(2)],
            ]),
          ],
        ],
        { version: 2 },
      ),
    ),
  ],
  ["field-width-changed", "player.key", pair(player([["key", bytes(4)]]), player([["key", bytes(8)]]))],
  ["field-kind-changed", "player.on", pair(player([["on", u8]]), player([["on", bool]]))],
];
