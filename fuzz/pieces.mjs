// Runs a fuzzer for very long, in pieces: `node fuzz/pieces.mjs NAME [inputs] [log]`, 100,000,000 inputs unless given. Every
// piece has its number as its seed and a line in the log; a run that was stopped goes on where it was. NAME is that of a
// fuzzer beside this file: streams, locks, images, lines.
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { argv, exit } from "node:process";

const [, , name, total = "100000000", log = `fuzz-${name}.jsonl`] = argv;
const pieceInputs = 200_000;
const { fuzz } = await import(new URL(`./${name}.mjs`, import.meta.url));
const lines = existsSync(log) ? readFileSync(log, "utf8").split("\n").filter(Boolean) : [];
let done = lines.reduce((sum, line) => sum + JSON.parse(line).inputs, 0);
for (let seed = lines.length + 1; done < Number(total); seed++) {
  const inputs = Math.min(pieceInputs, Number(total) - done);
  const start = performance.now();
  try {
    const outcomes = Object.fromEntries(fuzz({ inputs, seed }));
    const rate = Math.round((inputs * 1000) / (performance.now() - start));
    done += inputs;
    appendFileSync(log, `${JSON.stringify({ fuzzer: name, seed, inputs, rate, done, outcomes })}\n`);
  } catch (error) {
    console.error(error);
    exit(1);
  }
}
