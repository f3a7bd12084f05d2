// Feeds damaged streams to `load`: `node fuzz/streams.mjs [inputs] [seed]`, after a build. 1,000,000 inputs unless
// given. Whatever the bytes, load must either refuse with a KstateError and leave the objects as they were, or load a
// state that saves and loads again to the same.
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { crc32 } from "node:zlib";
import { isKstateError, Registry } from "kstate";
import { kernelStream, reservedMem, seedState, testV2 } from "../build/test/golden/kernel.js";
import { everyKind, everyKindState, item, otherState } from "../build/test/registry/every-kind.js";
import { mutated } from "./mutate.mjs";
import { fuzzerOf, runAsProgram, trying } from "./runner.mjs";

/** Programs: each registers what it has; `saved` for the stream, `present` for what is loaded into. */
const targets = [
  {
    saved: () => [everyKindState()],
    present: () => [otherState()],
    register: (registry, [state]) => registry.register(everyKind, state, 7),
    // an equal field must be what is present
    prepare: ([into], [loaded]) => {
      into.equal = loaded.equal;
    },
  },
  {
    saved: () => [{ ...seedState(), i: 10 }],
    present: () => [{ s: "before", pUlong: { value: 1n }, folio: { address: 2n }, i: 3 }],
    register: (registry, [state]) => registry.register(testV2, state, 123),
  },
  {
    // a map of instances, an instance that may be missing, and a section and subsections that are only carried
    saved: () => [
      new Map([
        ["a", itemOf(1)],
        ["b", itemOf(2)],
        ["plumless", itemOf(3)],
        ["buckeroo", itemOf(4)],
      ]),
    ],
    present: () => [
      new Map([
        ["b", itemOf(9)],
        ["z", itemOf(8)],
      ]),
      { name: "x", start: 1n, size: 2n },
    ],
    register: (registry, [items, memory]) => {
      registry.registerAll(item, items);
      if (memory !== undefined) registry.register(reservedMem, memory, 22, { optional: true });
      else registry.register(testV2, { ...seedState(), i: 10 }, 123);
    },
  },
];

function itemOf(id) {
  return { id, weight: id / 2, note: `item ${id}` };
}

function registryOf({ register }, state) {
  const registry = new Registry();
  register(registry, state);
  return registry;
}

function seedStreams(target) {
  const own = registryOf(target, target.saved()).save({ dataChecksum: false });
  const end = Buffer.from(own).lastIndexOf("KSTR");
  return { foreign: Buffer.from(own.subarray(0, end)), own: Buffer.from(own) };
}

/** Corrects the checksums of a damaged stream, so that what is behind them is reached. */
function corrected(bytes) {
  const start = bytes.lastIndexOf("KSTR");
  if (start < 8 || bytes.length < start + 68) return bytes;
  bytes.writeUInt32LE(bytes.length - start, start + 8);
  bytes.writeBigUInt64LE(BigInt(bytes.length), start + 20);
  let crc = crc32(bytes.subarray(0, 4));
  for (let at = 4; at + 20 <= start && bytes.readInt32LE(at) !== -1; ) {
    crc = crc32(bytes.subarray(at, at + 20), crc);
    at += 20 + Math.max(0, bytes.readInt32LE(at + 16));
  }
  bytes.writeUInt32LE(crc32(bytes.subarray(start - 4, start), crc), start + 12);
  bytes.writeUInt32LE(crc32(bytes.subarray(start, -4)), bytes.length - 4);
  return bytes;
}

/** Loads one input; gives the error code, or "loaded". */
function check(target, bytes, options) {
  const state = target.present();
  const registry = registryOf(target, state);
  try {
    registry.load(bytes, options);
  } catch (error) {
    assert.ok(isKstateError(error), error?.stack ?? String(error));
    assert.ok(isDeepStrictEqual(state, target.present()), "a refused load has changed something");
    return error.code;
  }
  const again = target.present();
  target.prepare?.(again, state);
  registryOf(target, again).load(registry.save());
  assert.ok(isDeepStrictEqual(again, state), "what was loaded does not come back from a save");
  return "loaded";
}

function one(random) {
  const which = random.below(targets.length);
  const foreign = random.below(2) === 0;
  const damaged = mutated(foreign ? seeds[which].foreign : seeds[which].own, others, random);
  const bytes = foreign || random.below(8) === 0 ? damaged : corrected(damaged);
  return trying(Buffer.from(bytes).toString("hex"), () =>
    check(targets[which], Uint8Array.from(bytes), { foreign }),
  );
}

const seeds = targets.map(seedStreams);
const others = [
  ...seeds.flatMap(({ foreign, own }) => [foreign, own]),
  Buffer.from(kernelStream("many-instances")),
];

export const fuzz = fuzzerOf(one);
runAsProgram(import.meta.url, fuzz);
