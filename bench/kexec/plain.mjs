// In the guest: the same state in a program without kstate, which keeps it in files on a disk and reads them at its start.
import { spawnSync } from "node:child_process";
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { makeAccounts, makeCells, say, sumOf } from "./state.mjs";

const [accountsFile, cellsFile] = ["/tmp/data/accounts.json", "/tmp/data/cells"];
const isFirst = !existsSync(accountsFile);
const accounts = isFirst ? makeAccounts() : JSON.parse(readFileSync(accountsFile, "utf8"));
const bytes = isFirst ? new Uint8Array(makeCells.bytes) : readFileSync(cellsFile);
const cells = new Float64Array(bytes.buffer, bytes.byteOffset, makeCells.bytes / 8);
if (isFirst) makeCells(cells);
createServer((_, response) => response.end("ok")).listen(0, "127.0.0.1", () => {
  say({ serves: isFirst ? "boot" : "files" });
  say({ sum: sumOf(accounts, cells) });
  if (!isFirst) return say({ done: true });
  say({ stops: true });
  write(accountsFile, JSON.stringify(accounts));
  write(cellsFile, bytes);
  say({ kept: true });
  spawnSync("reboot", ["-f"]);
});

function write(path, data) {
  const descriptor = openSync(path, "w");
  writeFileSync(descriptor, data);
  fsyncSync(descriptor);
  closeSync(descriptor);
}
