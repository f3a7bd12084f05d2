// One cell of the table, in a process of its own: node cell.mjs DATA PEER STEP SIZE ROUNDS; prints JSON.
import { ceilings } from "./ceilings.mjs";
import { dataSets, isSame } from "./data.mjs";
import { kstateCodec } from "./kstate.mjs";
import { peers } from "./peers.mjs";

const [name, peer, step, size, rounds] = process.argv.slice(2);
/** Rounds that are not measured, until the engine has made its best code. */
const [settleRounds, settleMs] = [6, 500];
/** What is slow is measured less often. */
const [fewest, longestMs] = [3, 1500];
const set = dataSets[name];
const count = set.count(Number(size));

const kstateModes = {
  kstate: {},
  "kstate, with CRC": { dataChecksum: true },
  "kstate, new buffer": { reuse: false },
  "kstate, reference": { codec: "reference" },
  "kstate, zero copy": { zeroCopy: true },
};

function measured(call) {
  const [cpu, wall] = [process.cpuUsage(), process.hrtime.bigint()];
  const result = call();
  const used = process.cpuUsage(cpu);
  return {
    result,
    cpu: (used.user + used.system) / 1000,
    wall: Number(process.hrtime.bigint() - wall) / 1e6,
  };
}

async function codecOf() {
  if (Object.hasOwn(kstateModes, peer)) return kstateCodec(name, kstateModes[peer]);
  if (Object.hasOwn(ceilings, peer)) return ceilings[peer](name, count);
  return peers[peer](name);
}

async function cell() {
  const codec = await codecOf();
  const isMade =
    step === "load into" ? codec?.loadInto !== undefined && set.other !== undefined : codec?.[step];
  if (!isMade) return { missing: true };
  const data = set.make(count);
  const bufferSize =
    Math.ceil({ records: 80, users: 500, map: 160, floats: 9, graph: 200, chain: 200 }[name] * count) + 65536;
  const into = Buffer.from(new ArrayBuffer(bufferSize));
  const stream =
    codec.isCeiling || codec.save === undefined ? undefined : Buffer.from(codec.save(data, bufferSize, into));
  const target = step === "load into" ? set.other(count) : undefined;
  const calls = {
    save: () => codec.save(data, bufferSize, into),
    load: () => codec.load(stream, data),
    "load into": () => codec.loadInto(stream, target),
  };
  // The first save above was needed for the load only; for a cold save the process starts anew.
  const cold = step === "save" && !codec.isCeiling ? undefined : measured(calls[step]);
  const settled = performance.now() + settleMs;
  for (let i = 0; i < settleRounds && performance.now() < settled; i++) calls[step]();
  const warm = [];
  let last;
  const begin = performance.now();
  for (let i = 0; i < Number(rounds) && (i < fewest || performance.now() - begin < longestMs); i++) {
    last = undefined;
    const one = measured(calls[step]);
    warm.push(one);
    last = one.result;
    one.result = undefined;
  }
  return {
    mode: codec.mode,
    cold,
    cpu: summary(warm.map(({ cpu }) => cpu)),
    wall: summary(warm.map(({ wall }) => wall)),
    bytes: stream?.length,
    same: codec.isCeiling
      ? undefined
      : isSame(name, data, step === "save" ? codec.load(Buffer.from(last)) : last),
    isView: step === "load" && stream !== undefined && isViewOf(stream, last),
    peakMiB: process.resourceUsage().maxRSS / 1024,
    count,
  };
}

/** Whether byte arrays of the result lie in the input, which then cannot be used again. */
function isViewOf(stream, result) {
  const value = result instanceof Map ? result.values().next().value : result;
  return ArrayBuffer.isView(value) && value.buffer === stream.buffer;
}

function summary(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
  return { median: at(0.5), low: sorted[0], high: sorted.at(-1) };
}

async function coldSave() {
  const codec = await codecOf();
  if (codec?.save === undefined) return { missing: true };
  const data = set.make(count);
  const bufferSize = 500 * count + 65536;
  const { cpu, wall } = measured(() =>
    codec.save(data, bufferSize, Buffer.from(new ArrayBuffer(bufferSize))),
  );
  return { cold: { cpu, wall } };
}

try {
  const result = step === "cold save" ? await coldSave() : await cell();
  if (result.cold) delete result.cold.result;
  console.log(JSON.stringify(result));
} catch (error) {
  console.log(JSON.stringify({ failed: `${error?.name}: ${String(error?.message).slice(0, 80)}` }));
}
