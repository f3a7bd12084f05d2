// In the guest: a service under kstate with accounts on its heap and cells in a folio. Says when it serves, and the sum of
// all it has; a program that resumed ends the machine.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { defineState, f64, folio, list, optional, record, string, u32 } from "kstate";
import { joinLiveUpdate } from "kstate/live";
import { makeAccounts, makeCells, say, sumOf } from "./state.mjs";

const live = await joinLiveUpdate({ name: "bank" });
const account = record([
  ["id", u32],
  ["name", string({ max: 100 })],
  ["balance", f64],
  ["changedAt", f64],
]);
const state = { accounts: [], cells: null };
live.register(
  defineState({
    name: "bank",
    id: 1,
    fields: [
      ["accounts", list(account, { max: 10_000_000 })],
      ["cells", optional(folio())],
    ],
  }),
  state,
);
let from = "";
live.start((context) => {
  from = context.from;
  if (from !== "boot") return;
  state.accounts = makeAccounts();
  state.cells = live.memory.alloc(makeCells.bytes);
  makeCells(state.cells.view(Float64Array));
});
live.listen(
  createServer((_, response) => response.end("ok")),
  { port: 0, host: "127.0.0.1" },
);
await live.ready();
say({ serves: from });
say({ sum: sumOf(state.accounts, state.cells.view(Float64Array).subarray(0, makeCells.bytes / 8)) });
if (from === "boot") writeFileSync("/tmp/ready", "");
else spawnSync("reboot", ["-f"]);
