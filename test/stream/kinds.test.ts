/** Every kind: its bytes, annotated; what it refuses on save; which bytes it refuses on load. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type AnyField, defineState, isKstateError, Registry } from "kstate";
import { kindCases } from "./kind-cases.ts";

function registryOf(
  field: AnyField,
  before: readonly (readonly [string, AnyField])[],
  state: object,
): Registry {
  const registry = new Registry();
  const description = defineState({ name: "d", id: 1, fields: [...before, ["x", field]] });
  registry.register(description, state as never);
  return registry;
}

const headerSize = 4 + 20;

/** A stream with these bytes as data of the section, as a kernel would write it. */
function streamOf(hex: string): Uint8Array {
  const data = Buffer.from(hex, "hex");
  const header = Buffer.alloc(headerSize);
  header.writeUInt32LE(0x3b37778c, 0);
  header.writeInt32LE(2, 4);
  header.writeInt32LE(1, 8);
  header.writeInt32LE(data.length, 20);
  return Uint8Array.from(Buffer.concat([header, data, Buffer.from("ffffffff", "hex")]));
}

function hexOf(annotated: readonly (readonly [string, string])[]): string {
  return annotated.map(([, hex]) => hex.replaceAll(" ", "")).join("");
}

describe("the bytes of every kind", () => {
  for (const { name, field, before = [], others = {}, values, refused, damaged } of kindCases) {
    for (const [value, annotated] of values()) {
      const text = annotated.map(([what]) => what).join(", ");

      test(`${name} is saved as ${text}`, () => {
        const stream = registryOf(field, before, { ...others, x: value }).save();
        const size = new DataView(stream.buffer).getInt32(20, true);
        const data = Buffer.from(stream.subarray(headerSize, headerSize + size)).toString("hex");
        assert.equal(data, hexOf(annotated));
      });

      test(`${name} is loaded from ${text}, into nothing and into what is there`, () => {
        for (const there of [{}, { ...others, x: structuredCopy(values()[0]![0]) }]) {
          const state: Record<string, unknown> = { ...there };
          registryOf(field, before, state).load(streamOf(hexOf(annotated)), { foreign: true });
          assert.deepEqual(state.x, value);
        }
      });

      test(`${name}, ${text}: cut anywhere it is refused`, () => {
        const hex = hexOf(annotated);
        for (let length = 0; length < hex.length; length += 2) {
          assert.throws(
            () => registryOf(field, before, {}).load(streamOf(hex.slice(0, length)), { foreign: true }),
            (error) => isKstateError(error),
            `cut after ${length / 2} bytes`,
          );
        }
      });
    }

    for (const [value, expected] of refused()) {
      test(`${name} refuses to save what must be ${expected}`, () => {
        const registry = registryOf(field, before, { ...others, x: value });
        assert.throws(
          () => registry.save(),
          (error) => {
            assert.ok(
              isKstateError(error, "VALUE_INVALID") || isKstateError(error, "LIMIT_EXCEEDED"),
              String((error as Error).stack),
            );
            assert.match(error.message, /^cannot save (d|item|note)@\d at d\.x/);
            assert.ok(error.message.includes(expected), error.message);
            return true;
          },
        );
      });
    }

    for (const [hex, message] of damaged ?? []) {
      test(`${name} refuses to load ${hex}: ${message}`, () => {
        const state = {};
        assert.throws(
          () => registryOf(field, before, state).load(streamOf(hex.replaceAll(" ", "")), { foreign: true }),
          (error) => {
            assert.ok(isKstateError(error), String(error));
            assert.ok(error.message.includes(message), error.message);
            return true;
          },
        );
        assert.deepEqual(state, {});
      });
    }
  }
});

function structuredCopy(value: unknown): unknown {
  return typeof value === "object" && value !== null ? structuredClone(value) : value;
}
