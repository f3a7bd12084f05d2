import assert from "node:assert/strict";
import { test } from "node:test";
import { defineState, Registry, u8 } from "kstate";
import { saveFile } from "#src/live/save-file.js";

test("a file that cannot be made is named, and the program is not said to have thrown", () => {
  const registry = new Registry();
  registry.register(defineState({ name: "d", id: 1, fields: [["n", u8]] }), { n: 1 });
  const error = saveFile(registry, "/none/such/directory/state");
  assert.equal(error?.code, "STATE_FILE_FAILED");
  assert.deepEqual(error?.detail, { path: "/none/such/directory/state", errno: "ENOENT" });
});
