import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { defineState, isKstateError, NamedStreams, Registry, string } from "kstate";
import { cuts, flips } from "../support/corruption.ts";

const description = defineState({ name: "d", id: 1, fields: [["text", string({ max: 100 })]] });

function streamOf(text: string): Uint8Array {
  const registry = new Registry();
  registry.register(description, { text });
  return registry.save();
}

function textOf(stream: Uint8Array | undefined): string {
  const state = { text: "" };
  assert.ok(stream !== undefined);
  new Registry().restore(description, state, 0, stream);
  return state.text;
}

describe("named streams", () => {
  test("each is saved, loaded and dropped by itself, in any order", () => {
    const streams = new NamedStreams();
    for (const name of ["sessions", "cache", "räume"]) streams.write(name, streamOf(`the ${name}`));
    let kept = NamedStreams.fromBytes(streams.toBytes());
    assert.deepEqual(kept.names(), ["sessions", "cache", "räume"]);
    assert.equal(textOf(kept.read("räume")), "the räume");
    assert.equal(textOf(kept.read("sessions")), "the sessions");
    assert.equal(kept.drop("sessions"), true);
    assert.equal(kept.drop("sessions"), false);
    kept.write("cache", streamOf("a newer and longer cache"));
    kept = NamedStreams.fromBytes(kept.toBytes());
    assert.deepEqual(kept.names(), ["cache", "räume"]);
    assert.equal(textOf(kept.read("cache")), "a newer and longer cache");
    assert.equal(textOf(kept.read("räume")), "the räume");
    assert.equal(kept.read("sessions"), undefined);
  });

  test("none at all, and empty ones, are fine", () => {
    const streams = new NamedStreams();
    assert.deepEqual(NamedStreams.fromBytes(streams.toBytes()).names(), []);
    streams.write("empty", new Uint8Array(0));
    assert.equal(NamedStreams.fromBytes(streams.toBytes()).read("empty")?.length, 0);
  });

  test("the bytes are as the contract says", () => {
    const streams = new NamedStreams();
    streams.write("ab", Uint8Array.of(1, 2, 3));
    const bytes = Buffer.from(streams.toBytes());
    assert.equal(bytes.toString("latin1", 0, 4), "KNST");
    assert.deepEqual(
      [4, 8, 12].map((offset) => bytes.readUInt32LE(offset)),
      [1, 1, 20],
    );
    assert.deepEqual(
      [16, 24].map((offset) => bytes.readBigUInt64LE(offset)),
      [40n, 3n],
    );
    assert.equal(bytes.readUInt16LE(32), 2);
    assert.equal(bytes.toString("latin1", 34, 36), "ab");
    assert.equal(bytes.toString("hex", 40), "010203");
    assert.equal(bytes.length, 43);
  });

  test("cut anywhere, or damaged outside of a stream, the whole is refused; inside, that stream alone", () => {
    const streams = new NamedStreams();
    streams.write("one", streamOf("1"));
    streams.write("two", streamOf("2"));
    const bytes = streams.toBytes();
    for (const { at, bytes: cut } of cuts(bytes)) {
      assert.throws(
        () => NamedStreams.fromBytes(cut),
        (error) => isKstateError(error),
        `cut at ${at}`,
      );
    }
    for (const { at, bytes: flipped } of flips(bytes)) {
      let broken = 0;
      try {
        const kept = NamedStreams.fromBytes(flipped);
        for (const name of ["one", "two"]) {
          try {
            textOf(kept.read(name));
          } catch (error) {
            assert.ok(isKstateError(error), `flip at ${at}: ${error}`);
            broken++;
          }
        }
        assert.equal(broken, 1, `flip at ${at}`);
      } catch (error) {
        assert.ok(isKstateError(error), `flip at ${at}: ${error}`);
      }
    }
  });

  test("a name that is none is refused", () => {
    for (const name of ["", "x".repeat(256), "\ud800"]) {
      assert.throws(() => new NamedStreams().write(name, new Uint8Array(1)), TypeError);
    }
  });
});
