import {
  type AnyField,
  bool,
  date,
  defineState,
  f64,
  list,
  map,
  optional,
  record,
  string,
  struct,
  u16,
  u32,
} from "../description/index.ts";
import { Registry } from "../registry/index.ts";

type Field = readonly [string, AnyField];

const common = [
  ["name", string({ max: 64 })],
  ["x", f64],
  ["score", u32],
  ["alive", bool],
  ["team", optional(string({ max: 64 }))],
  ["seen", date],
  [
    "home",
    record([
      ["x", f64],
      ["y", f64],
    ]),
  ],
] as const satisfies readonly Field[];

/** The descriptions of a made-up program in one of two versions, so that writer and reader are compared too. */
function describe(versionId: 1 | 2) {
  const own: Field[] =
    versionId === 1
      ? [["rank", u16]]
      : [
          ["rank", u16.until(1, { save: () => 0 })],
          ["energy", u16.since(2, 100)],
        ];
  const member = defineState({
    name: "kstate.warm_up.member",
    id: 0x4b530010,
    versionId,
    fields: [...common, ...own],
  });
  const extra = defineState({ name: "kstate.warm_up.extra", id: 0x4b530011, fields: [["extra", u32]] });
  return defineState({
    name: "kstate.warm_up",
    id: 0x4b530012,
    versionId,
    fields: [
      ["members", map(string({ max: 64 }), struct(member), { max: 100 })],
      ["order", list(struct(member), { max: 100 })],
      ["counts", list(u32, { max: 100 })],
    ],
    subsections: [extra],
  });
}

function makeMember(name: string) {
  return {
    name,
    x: 1.5,
    score: 1,
    alive: true,
    team: null,
    seen: new Date(0),
    home: { x: 0.5, y: 2 },
    rank: 2,
    energy: 3,
  };
}

/** One update and its rollback of made-up state: save and load with another version on the other side, step by step. */
export function warmCodec(): (() => void)[] {
  const names = Array.from({ length: 10 }, (_, index) => `member ${index}`);
  const state = {
    members: new Map(names.map((name) => [name, makeMember(name)])),
    order: names.map(makeMember),
    counts: [1, 2],
    extra: 3,
  };
  const [old, next] = [new Registry(), new Registry()];
  old.register(describe(1), state);
  next.register(describe(2), state);
  const versionIds = { "kstate.warm_up": 1, "kstate.warm_up.member": 1 };
  let stream: Uint8Array = new Uint8Array();
  return [
    () => {
      stream = old.save({ dataChecksum: false });
    },
    () => {
      state.members.clear();
      state.order = [];
      next.load(stream, { undo: false });
    },
    () => {
      stream = next.save({ dataChecksum: false, versionIds });
    },
    () => old.load(stream, { undo: false }),
  ];
}
