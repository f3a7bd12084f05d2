// What all fuzzers have in common: inputs that are made again from seed and number, outcomes, rate.
import { argv } from "node:process";
import { pathToFileURL } from "node:url";
import { makeRandom } from "./mutate.mjs";

/**
 * Makes a fuzzer of `one(random)`, which tries one input and gives its outcome, or throws with what it tried as the error's
 * `input`. The fuzzer throws with seed and number of the input.
 */
export function fuzzerOf(one) {
  return ({ inputs, seed = 1, progress = () => {} }) => {
    const outcomes = new Map();
    for (let i = 0; i < inputs; i++) {
      const random = makeRandom(Math.imul(seed, 0x9e3779b1) ^ Math.imul(i + 1, 0x85ebca6b));
      try {
        const outcome = one(random);
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      } catch (cause) {
        throw new Error(`input ${i} of seed ${seed}: ${cause.message}\n${cause.input ?? ""}`, { cause });
      }
      if (i % 50_000 === 49_999) progress(i + 1);
    }
    return outcomes;
  };
}

/** Calls, and adds what was tried to an error. */
export function trying(input, run) {
  try {
    return run();
  } catch (error) {
    error.input ??= input;
    throw error;
  }
}

/** Runs a fuzzer when its file is the program: `node fuzz/NAME.mjs [inputs] [seed]`. */
export function runAsProgram(url, fuzz) {
  if (url !== pathToFileURL(argv[1] ?? "").href) return;
  const inputs = Number(argv[2] ?? 1_000_000);
  const seed = Number(argv[3] ?? Date.now() & 0xffff);
  const start = performance.now();
  const rateOf = (done) => `${Math.round((done * 1000) / (performance.now() - start))} a second`;
  console.log(`${inputs} inputs of seed ${seed}`);
  const progress = (done) => console.log(`${done} of ${inputs}, ${rateOf(done)}`);
  const outcomes = fuzz({ inputs, seed, progress });
  for (const [outcome, count] of [...outcomes].sort((a, b) => b[1] - a[1]))
    console.log(`${outcome} ${count}`);
  console.log(`${inputs} inputs of seed ${seed}, ${rateOf(inputs)}`);
}
