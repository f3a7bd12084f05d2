// The state of both programs, by the size that the kernel's command line says.
import { readFileSync } from "node:fs";

const commandLine = readFileSync("/proc/cmdline", "utf8");
const option = (name) => Number(new RegExp(`bench\\.${name}=(\\d+)`).exec(commandLine)?.[1]);

/** A line for whoever started the machine. */
export const say = (what) => console.log(`@@ ${JSON.stringify(what)}`);

export function makeAccounts() {
  return Array.from({ length: option("accounts") }, (_, index) => ({
    id: index,
    name: `account of somebody ${index % 1000}`,
    balance: index * 1.25,
    changedAt: 1.7e12 + index,
  }));
}

/** Fills cells with numbers that are not zeros. */
export function makeCells(cells) {
  const count = makeCells.bytes / 8;
  for (let index = 0; index < count; index += 1) cells[index] = index + 1;
}
makeCells.bytes = option("mib") * 1024 * 1024;

export function sumOf(accounts, cells) {
  let sum = 0;
  for (const { balance, changedAt } of accounts) sum += balance + (changedAt % 1000);
  for (let index = 0; index < cells.length; index += 1) sum += cells[index];
  return `${accounts.length} accounts, ${cells.length} cells, ${sum}`;
}
