import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { type Description, isKstateError, Registry } from "kstate";
import { kernelStream, seedState, testV2 } from "../golden/kernel.ts";
import { cuts, flips } from "../support/corruption.ts";
import { everyKind, everyKindState, otherState } from "./every-kind.ts";

interface Family {
  readonly name: string;
  readonly description: Description;
  readonly saved: () => object;
  readonly present: () => object;
}

const families: readonly Family[] = [
  {
    name: "the kernel's example",
    description: testV2,
    saved: () => ({ ...seedState(), i: 10 }),
    present: () => ({ s: "before", pUlong: { value: 1n }, folio: { address: 2n }, i: 3 }),
  },
  { name: "every kind", description: everyKind, saved: everyKindState, present: otherState },
];

function registryOf(description: Description, object: object): Registry {
  const registry = new Registry();
  registry.register(description, object as never, 7);
  return registry;
}

/** Loads damaged bytes; gives whether they were accepted, and asserts that a refusal has changed nothing. */
function isAccepted(
  { description, present }: Family,
  bytes: Uint8Array,
  options: object,
  what: string,
): boolean {
  const object = present();
  const registry = registryOf(description, object);
  try {
    registry.load(bytes, options);
  } catch (error) {
    assert.ok(isKstateError(error), `${what}: ${error}`);
    assert.ok(isDeepStrictEqual(object, present()), `${what}: the object was changed`);
    return false;
  }
  assert.doesNotThrow(() => registry.save(), `${what}: gave a value that cannot be saved`);
  return true;
}

describe("damaged streams", () => {
  for (const family of families) {
    const registry = registryOf(family.description, family.saved());
    const checked = registry.save();
    const unchecked = registry.save({ dataChecksum: false });
    const bodySize = endOfBody(checked);

    test(`${family.name}: the whole stream loads`, () => {
      assert.ok(isAccepted(family, checked, {}, "whole"));
      assert.ok(isAccepted(family, unchecked, {}, "whole"));
      assert.ok(isAccepted(family, checked.slice(0, bodySize), { foreign: true }, "whole"));
    });

    test(`${family.name}: cut at every byte, it is refused and nothing has changed`, () => {
      for (const stream of [checked, unchecked]) {
        for (const { at, bytes } of cuts(stream))
          assert.ok(!isAccepted(family, bytes, {}, `cut at ${at}`), `cut at ${at}`);
      }
      for (const { at, bytes } of cuts(checked.slice(0, bodySize))) {
        assert.ok(!isAccepted(family, bytes, { foreign: true }, `cut at ${at}`), `cut at ${at}`);
      }
    });

    test(`${family.name}: with any byte flipped, it is refused and nothing has changed`, () => {
      for (const { at, bytes } of flips(checked, [0x10])) {
        assert.ok(!isAccepted(family, bytes, {}, `flip at ${at}`), `flip at ${at} was accepted`);
      }
    });

    test(`${family.name}: without a data checksum, flips of data alone give a well-formed value or are refused`, () => {
      let accepted = 0;
      for (const { at, bytes } of flips(unchecked, [0x01])) {
        if (!isAccepted(family, bytes, {}, `flip at ${at}`)) continue;
        accepted++;
        assert.ok(isInData(unchecked, at), `flip at ${at}, outside of data, was accepted`);
      }
      assert.ok(accepted > 0, "some flips of numbers must have been accepted");
    });

    test(`${family.name}: as a foreign stream, flips give a well-formed value or are refused`, () => {
      for (const { at, bytes } of flips(checked.slice(0, bodySize))) {
        isAccepted(family, bytes, { foreign: true }, `flip at ${at}`);
      }
    });
  }

  test("bytes after the trailer are refused", () => {
    const [family] = families as [Family];
    const stream = registryOf(family.description, family.saved()).save();
    assert.ok(!isAccepted(family, new Uint8Array([...stream, 0]), {}, "longer"));
  });

  test("what is no stream is refused by its first bytes", () => {
    const registry = new Registry();
    for (const bytes of [new Uint8Array(0), new Uint8Array(3), Uint8Array.from(Buffer.from("{}{}{}"))]) {
      assert.throws(
        () => registry.load(bytes),
        (error) =>
          isKstateError(error, "NOT_A_STREAM") &&
          error.message.startsWith("cannot load: a stream begins with 0x3b37778c"),
      );
    }
    assert.doesNotThrow(() => registry.load(kernelStream("empty"), { foreign: true }));
  });
});

function endOfBody(stream: Uint8Array): number {
  return Buffer.from(stream).lastIndexOf("KSTR");
}

/** Whether an offset is inside the data of an entry of the stream. */
function isInData(stream: Uint8Array, at: number): boolean {
  const view = new DataView(stream.buffer, stream.byteOffset);
  for (let offset = 4; view.getInt32(offset, true) !== -1; ) {
    const end = offset + 20 + view.getInt32(offset + 16, true);
    if (at >= offset + 20 && at < end) return true;
    offset = end;
  }
  return false;
}
