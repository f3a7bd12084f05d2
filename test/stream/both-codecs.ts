/** Saving and loading with generated code and with the reference, which must not differ. */

import assert from "node:assert/strict";
import {
  type AnyField,
  type Description,
  defineState,
  type FieldList,
  isKstateError,
  Registry,
} from "kstate";

/** Bytes, or the error instead of them. */
export type Saved = { readonly stream: Uint8Array } | { readonly code: string; readonly message: string };

const codecs = ["compiled", "reference"] as const;

/** One field called x. */
export function described(field: AnyField, others: FieldList = []): Description {
  return defineState({ name: "d", id: 1, fields: [...others, ["x", field]] });
}

/** What both make of a state; `make` gives a new one each time. Throws what is no `KstateError`. */
export function savedBoth(description: Description, make: () => object): Saved {
  const [compiled, reference] = codecs.map((codec) => savedWith(codec, description, make())) as [
    Saved,
    Saved,
  ];
  assert.deepStrictEqual(compiled, reference);
  return compiled;
}

export function savedWith(codec: (typeof codecs)[number], description: Description, state: object): Saved {
  const registry = new Registry({ codec });
  registry.register(description, state as never);
  try {
    return { stream: registry.save() };
  } catch (error) {
    if (!isKstateError(error)) throw error;
    return { code: error.code, message: error.message };
  }
}

/** What both load from a stream, saved once more: the bytes must be the same again. Gives the state. */
export function loadedAgain(description: Description, stream: Uint8Array): Record<string, unknown> {
  const [compiled, reference] = codecs.map((codec) => {
    const registry = new Registry({ codec });
    const state = {};
    registry.register(description, state as never);
    registry.load(stream);
    assert.deepEqual(registry.save(), stream, `${codec}: saved again, other bytes`);
    return state;
  });
  assert.deepStrictEqual(compiled, reference);
  return compiled as Record<string, unknown>;
}

/** Asserts that both refuse with this code and a message that has these parts. */
export function refusedBoth(
  description: Description,
  make: () => object,
  code: string,
  ...parts: readonly string[]
): void {
  const saved = savedBoth(description, make);
  assert.ok("code" in saved, "it was saved");
  assert.equal(saved.code, code, saved.message);
  for (const part of parts) assert.ok(saved.message.includes(part), saved.message);
}
