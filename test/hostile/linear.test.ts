/** Every reader's time is at most linear in bytes plus elements: the blocks that run are counted, not the time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { excessOf } from "../support/steps.js";

const { defineState, isKstateError, Registry, u8 } = await import("kstate");
const { NamedStreams } = await import("#src/stream/index.js");
const { namesWithReferences, addClosure, parseLockRecord } = await import("#src/description/index.js");

const magic = 0x3b37778c;

function bytesOf(words: readonly number[]): Uint8Array {
  return new Uint8Array(Int32Array.from(words).buffer);
}

/** Reads, and may refuse. */
function tried(run: () => void): () => void {
  return () => {
    try {
      run();
    } catch (error) {
      assert.ok(isKstateError(error), String(error));
    }
  };
}

function assertLinear(work: (size: number) => () => void, size = 1_000): void {
  const excess = excessOf(work, size);
  assert.ok(excess < 0.3, `twice the input takes ${(excess + 2).toFixed(2)} times the steps`);
}

/** A section with so many subsections of 20 bytes. */
function subsections(count: number): Uint8Array {
  const words = [magic, 2, 7, 0, 0, 0];
  for (let i = 0; i < count; i++) words.push(1, 100 + i, 0, 0, 0);
  return bytesOf([...words, -1]);
}

test("many small subsections of one section", () => {
  assertLinear((size) => {
    const bytes = subsections(size);
    return tried(() => new Registry().load(bytes, { foreign: true }));
  });
});

test("many small sections", () => {
  assertLinear((size) => {
    const words = [magic];
    for (let i = 0; i < size; i++) words.push(2, 7, 0, i, 0);
    const bytes = bytesOf([...words, -1]);
    return tried(() => new Registry().load(bytes, { foreign: true }));
  });
});

test("many subsections that a program does not know are carried", () => {
  assertLinear((size) => {
    const parts = Array.from({ length: size }, (_, i) =>
      defineState({ name: `part${i}`, id: 100 + i, fields: [[`f${i}`, u8]] }),
    );
    const fields = [["n", u8]] as const;
    const whole = defineState({ name: "whole", id: 7, fields, subsections: parts });
    const writer = new Registry();
    const state = Object.fromEntries([["n", 1], ...parts.map((_, i) => [`f${i}`, 1])]);
    writer.register(whole, state as never);
    const bytes = writer.save();
    return () => {
      const reader = new Registry();
      reader.register(defineState({ name: "whole", id: 7, fields }), { n: 0 });
      assert.equal(reader.load(bytes).carried.length, size);
    };
  }, 200);
});

test("descriptions that contain each other", () => {
  const chain = (size: number) =>
    parseLockRecord(
      JSON.stringify({
        format: 1,
        descriptions: Array.from({ length: size }, (_, i) => ({
          name: `d${i}`,
          id: i,
          versionId: 0,
          minVersionId: 0,
          fields: [
            {
              name: "next",
              kind: i + 1 < size ? { kind: "struct", of: `d${i + 1}` } : { kind: "ref", of: "d0" },
            },
          ],
          subsections: [],
        })),
      }),
    ).descriptions;
  assertLinear((size) => {
    const records = chain(size);
    const byName = new Map(records.map((record) => [record.name, record]));
    return () => {
      const into = new Map();
      for (const { name } of records) addClosure(name, byName, into);
      assert.equal(into.size, size);
      assert.equal(namesWithReferences(records).size, size);
    };
  });
});

test("many named streams", () => {
  assertLinear((size) => {
    const streams = new NamedStreams();
    for (let i = 0; i < size; i++) streams.write(`s${i}`, new Uint8Array(0));
    const bytes = streams.toBytes();
    return () => void NamedStreams.fromBytes(bytes);
  });
});
