import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { Registry } from "kstate";
import { everyKind, everyKindState, otherState } from "./every-kind.ts";

/** Streams that earlier versions of kstate wrote. Files are added here, never changed. */
function golden(name: string): Uint8Array {
  const file = new URL(`../../../test/golden/${name}.hex`, import.meta.url);
  return Uint8Array.from(Buffer.from(readFileSync(file, "utf8").replaceAll("\n", ""), "hex"));
}

describe("streams of earlier versions of kstate", () => {
  test("trailer version 1, every kind: loads, and its body is written again byte for byte", () => {
    const stream = golden("every-kind-trailer-1");
    const state = otherState();
    const registry = new Registry();
    registry.register(everyKind, state, "golden");
    registry.load(stream, { requireDataChecksum: true });
    assert.deepEqual(state, everyKindState());
    const end = Buffer.from(stream).lastIndexOf("KSTR");
    assert.deepEqual(registry.save().subarray(0, end), stream.subarray(0, end));
  });
});
