/** Every reader's time is at most linear in bytes plus elements: the blocks that run are counted, not the time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { excessOf } from "../support/steps.js";

const { isKstateError, Registry, defineState, list, ref, struct, u8, u32 } = await import("kstate");
const { LineSplitter } = await import("#src/live/protocol.js");
const { indexStream, walkStream, diffStreams, sourceOf, treeLines } = await import("#src/inspect/index.js");
const { crc32 } = await import("#src/stream/index.js");

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

const item = defineState({ name: "item", id: 7, fields: [["n", u8]] });

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
