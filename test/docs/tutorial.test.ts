import assert from "node:assert/strict";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { kstate, runtimeDirectory, Service } from "../support/service.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const read = (page: string): string => readFileSync(join(root, page), "utf8");

test("the reference shows the help that the command prints", async (t) => {
  const blocks = read("docs/reference/cli.md").matchAll(/<!-- output: kstate (.*?) -->\n```text\n(.*?)```/gs);
  let count = 0;
  for (const [, command, shown] of blocks) {
    const { stdout } = await kstate(runtimeDirectory(t), ...command!.split(" "));
    assert.equal(shown, stdout, `kstate ${command}`);
    count += 1;
  }
  assert.ok(count >= 2);
});

/** Writes the programs of the tutorial as a reader would: the first one copied, the second one changed. */
function writeTutorial(directory: string): void {
  const text = read("docs/getting-started.md");
  const first = /<!-- file: chat.mjs -->\n```js\n(.*?)```/s.exec(text)?.[1] ?? "";
  let second = first;
  for (const [, diff = ""] of text.matchAll(/```diff\n(.*?)```/gs)) {
    const side = (sign: string): string =>
      diff
        .split("\n")
        .filter((line) => line.startsWith(sign) || line.startsWith(" "))
        .map((line) => `${line.slice(1)}\n`)
        .join("");
    assert.ok(second.includes(side("-")), `the tutorial changes what is not there:\n${side("-")}`);
    second = second.replace(side("-"), side("+"));
  }
  writeFileSync(join(directory, "chat.mjs"), first);
  writeFileSync(join(directory, "chat-2.mjs"), second);
  mkdirSync(join(directory, "node_modules"));
  symlinkSync(root, join(directory, "node_modules/kstate"));
  symlinkSync(join(root, "node_modules/ws"), join(directory, "node_modules/ws"));
}

test("the tutorial's chat server can be updated and rolled back as it says", async (t) => {
  const directory = runtimeDirectory(t);
  writeTutorial(directory);
  const service = await Service.startCommand(t, [process.execPath, join(directory, "chat.mjs")], {
    PORT: "0",
  });
  const [ada, ben] = [await service.openWebSocket(t, "ada"), await service.openWebSocket(t, "ben")];
  assert.equal(await ada.ask("hello"), "ada (1): hello");
  assert.equal(await ben.next(), "ada (1): hello");
  const update = await service.kstate("update", "--", process.execPath, join(directory, "chat-2.mjs"));
  assert.equal(update.status, 0, update.stderr);
  assert.equal(await ada.ask("still here"), "ada (2): still here");
  assert.equal(await ben.next(), "ada (2): still here");
  const withTimes = (await service.getJson("/")) as { at: string }[];
  assert.deepEqual([withTimes[0]?.at, withTimes.length], ["1970-01-01T00:00:00.000Z", 2]);
  const rollback = await service.kstate("rollback");
  assert.equal(rollback.status, 0, rollback.stderr);
  assert.equal(await ben.ask("me too"), "ben (1): me too");
  assert.equal(await ada.next(), "ben (1): me too");
  assert.deepEqual(await service.getJson("/"), [
    { nick: "ada", text: "hello" },
    { nick: "ada", text: "still here" },
    { nick: "ben", text: "me too" },
  ]);
});
