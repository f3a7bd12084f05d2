// Feeds damaged lock records to whoever reads one: `node fuzz/locks.mjs [inputs] [seed]`, after a build. Whatever the text,
// it is refused with STREAM_CORRUPT, or is a record that stays the same when it is written and read again, by which
// streams are inspected, compared and checked without a raw error, in steps that the stream's size bounds.
import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import {
  defineState,
  enumeration,
  isKstateError,
  list,
  map,
  oneOf,
  Registry,
  ref,
  string,
  struct,
  u8,
  u16,
  u32,
} from "kstate";
import { everyKind, everyKindState } from "../build/test/registry/every-kind.js";
import { checkRecords } from "../dist/check/index.js";
import {
  carriedRecords,
  lockText,
  namesWithReferences,
  negotiate,
  parseLockRecord,
} from "../dist/description/index.js";
import { indexStream, sourceOf, treeLines, valueReader, walkStream } from "../dist/inspect/index.js";
import { mutated } from "./mutate.mjs";
import { mutatedJson } from "./mutate-json.mjs";
import { fuzzerOf, runAsProgram, trying } from "./runner.mjs";

const extra = defineState({ name: "extra", id: 3, fields: [["note", string({ max: 9 })]] });
const item = defineState({
  name: "item",
  id: 2,
  fields: [
    ["n", u8],
    ["twin", ref(() => item)],
  ],
});
const player = defineState({
  name: "player",
  id: 1,
  versionId: 2,
  minVersionId: 1,
  subsections: [extra],
  fields: [
    ["hp", u16.until(1)],
    ["hp", u32.since(2, 7).was("health")],
    ["items", map(string({ max: 9 }), struct(item), { max: 9 })],
    ["mode", enumeration(["idle", "busy"])],
    ["tags", list(list(u8, { max: 9 }), { max: 9 })],
    ["more", oneOf("kind", { none: [], some: [["x", u8]] }).when("mode", "==", "busy")],
  ],
});
const plain = new Registry();
plain.register(player, {
  hp: 9,
  items: new Map([["sword", { n: 1, twin: null }]]),
  mode: "busy",
  tags: [[1, 2], [3]],
  more: { kind: "some", x: 1 },
  note: "hi",
});
const whole = new Registry();
whole.register(everyKind, everyKindState(), 7);
const seeds = [plain, whole].map((registry) => ({
  tree: registry.lockRecord(),
  text: Buffer.from(lockText(registry.lockRecord())),
  stream: registry.save({ dataChecksum: false }),
}));
const trees = seeds.map(({ tree }) => tree);
const texts = seeds.map(({ text }) => text);
const today = new Date("2026-01-01");

/** Calls what may refuse by a code of ours, and nothing else. */
function guarded(run) {
  try {
    return run();
  } catch (error) {
    assert.ok(isKstateError(error), error?.stack ?? String(error));
    return undefined;
  }
}

function inspect(lock, stream) {
  const index = indexStream(sourceOf(stream), { crc32, lock });
  const reader = valueReader(index);
  let lines = 0;
  for (const line of treeLines(walkStream(index, undefined, reader), index.source))
    lines += line === "" ? 0 : 1;
  assert.ok(reader.work.steps <= 1_000_000 + 65 * stream.length + 70_000, `${reader.work.steps} steps`);
  return lines;
}

function one(random) {
  const which = random.below(256) === 0 ? 1 : 0; // the one with every kind is long
  const [others, pieces] = which === 0 ? [trees.slice(0, 1), texts.slice(0, 1)] : [trees, texts];
  const isTree = random.below(4) > 0;
  const text = isTree
    ? JSON.stringify(mutatedJson(trees[which], others, random))
    : mutated(texts[which], pieces, random).toString();
  return trying(text, () => {
    let record;
    try {
      record = parseLockRecord(text);
    } catch (error) {
      assert.ok(isKstateError(error, "STREAM_CORRUPT"), error?.stack ?? String(error));
      assert.ok(error.message.length < 1_000, "what was read is repeated in the message");
      return error.code;
    }
    const again = lockText(record);
    assert.equal(lockText(parseLockRecord(again)), again);
    namesWithReferences(record.descriptions);
    const names = new Map(record.descriptions.map((each) => [each.name, each]));
    const ours = new Map(trees[which].descriptions.map((each) => [each.name, each]));
    [...carriedRecords(names, ours)];
    guarded(() => negotiate(record, trees[which]));
    if (random.below(8) === 0)
      guarded(() =>
        checkRecords({ record, sources: new Map() }, { record: trees[which], sources: new Map() }, { today }),
      );
    inspect(record, seeds[which].stream);
    return "read";
  });
}

export const fuzz = fuzzerOf(one);
runAsProgram(import.meta.url, fuzz);
