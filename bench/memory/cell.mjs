// One peer in a process of its own: node --expose-gc cell.mjs PEER COUNT ROUNDS OPERATIONS; prints JSON: nanoseconds of CPU time an operation. After
// all COUNT entries were made, OPERATIONS of them are looked up, replaced and deleted.
import { peers } from "./peers.mjs";

const [name, ...numbers] = process.argv.slice(2);
const [count, rounds, operations] = numbers.map(Number);
const VALUE = Buffer.alloc(100, 7);

function order(step, length) {
  return Array.from({ length }, (_, i) => `user:${(i * step) % count}:session`);
}

function nanoseconds(call, times) {
  const start = process.cpuUsage();
  const result = call();
  const { user, system } = process.cpuUsage(start);
  if (result !== undefined && result !== 7 * times) throw new Error(`${name}: ${result} is wrong`);
  return ((user + system) * 1000) / times;
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

// Both orders are random to the map, and neither is the other; every key is there once, as the steps are primes.
const [fill, look] = [order(7_368_787, count), order(5_800_079, operations)];
const peer = await peers[name](count);
globalThis.gc();
const before = process.memoryUsage().rss;
const result = { name, count, "set, new": nanoseconds(() => peer.set(fill, VALUE), count) };
globalThis.gc();
result.bytes = (peer.memory?.() ?? process.memoryUsage().rss - before) / count;
const measured = { "set, present": [], get: [], iterate: [] };
for (let round = 0; round < rounds; round += 1) {
  measured["set, present"].push(nanoseconds(() => peer.set(look, VALUE), operations));
  measured.get.push(nanoseconds(() => peer.get(look), operations));
  if (peer.iterate) measured.iterate.push(nanoseconds(() => peer.iterate(), count));
}
for (const [step, values] of Object.entries(measured)) if (values.length > 0) result[step] = median(values);
if (peer.delete) result.delete = nanoseconds(() => peer.delete(look), operations);
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exit();
