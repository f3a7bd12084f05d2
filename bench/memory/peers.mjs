// Every peer as a map from string keys to bytes: { set, get, delete, iterate, memory }. Writes are given many keys at a time, so that a peer that has
// transactions can use one.
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { deserialize, serialize } from "node:v8";
import { blob, string } from "../../dist/index.js";
import { createMemfd, openMap, PhysicalMemory } from "../../dist/memory/index.js";

/** A larger one is slower: what it has written no longer fits into its list of pages. */
const LMDB_TRANSACTION = 100_000;

const each = (keys, call) => {
  for (const key of keys) call(key);
};
const sum = (keys, get) => {
  let total = 0;
  for (const key of keys) total += get(key)[0];
  return total;
};

function folioMap(count) {
  const capacity = 2 ** Math.ceil(Math.log2(count * 400 + 64 * 2 ** 20));
  const memory = PhysicalMemory.create(createMemfd(capacity));
  const map = openMap(memory, "bench", { key: string({ max: 100 }), value: blob({ max: 1000 }) });
  const free = memory.freeBytes;
  return { map, memory: () => free - memory.freeBytes };
}

export const peers = {
  "kstate FolioMap": (count) => {
    const { map, memory } = folioMap(count);
    return {
      set: (keys, value) => each(keys, (key) => map.set(key, value)),
      get: (keys) => sum(keys, (key) => map.get(key)),
      delete: (keys) => each(keys, (key) => map.delete(key)),
      iterate: () => {
        let total = 0;
        for (const [, value] of map) total += value[0];
        return total;
      },
      memory,
    };
  },
  "kstate FolioMap, getView": (count) => {
    const { map, memory } = folioMap(count);
    return {
      set: (keys, value) => each(keys, (key) => map.set(key, value)),
      get: (keys) => sum(keys, (key) => map.getView(key)),
      memory,
    };
  },
  // Stores the array it is given: no byte is copied.
  Map: () => mapOf((value) => value),
  // Owns its values, as all the others do; Node puts small copies into buffers of 8 KiB.
  "Map, own copies": () => mapOf((value) => Buffer.from(value)),
  "Map and v8.serialize": () =>
    mapOf(
      (value) => serialize(value),
      (value) => deserialize(value),
    ),
  lmdb: async (count) => {
    const { open } = await import("lmdb");
    const directory = mkdtempSync(join("/dev/shm", "kstate-bench-"));
    process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
    const path = join(directory, "data");
    const db = open({ path, encoding: "binary", noSync: true, mapSize: count * 1000 + 2 ** 28 });
    return {
      set: (keys, value) => {
        for (let at = 0; at < keys.length; at += LMDB_TRANSACTION) {
          const some = keys.slice(at, at + LMDB_TRANSACTION);
          db.transactionSync(() => each(some, (key) => db.putSync(key, value)));
        }
      },
      get: (keys) => sum(keys, (key) => db.getBinary(key)),
      delete: (keys) => db.transactionSync(() => each(keys, (key) => db.removeSync(key))),
      iterate: () => {
        let total = 0;
        for (const { value } of db.getRange()) total += value[0];
        return total;
      },
    };
  },
  "better-sqlite3": async () => {
    const { default: Database } = await import("better-sqlite3");
    const db = new Database(":memory:");
    db.exec("CREATE TABLE entries (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID");
    const [put, get, remove, all] = [
      "REPLACE INTO entries VALUES (?, ?)",
      "SELECT value FROM entries WHERE key = ?",
      "DELETE FROM entries WHERE key = ?",
      "SELECT key, value FROM entries",
    ].map((text) => db.prepare(text));
    get.pluck();
    return {
      set: db.transaction((keys, value) => each(keys, (key) => put.run(key, value))),
      get: (keys) => sum(keys, (key) => get.get(key)),
      delete: db.transaction((keys) => each(keys, (key) => remove.run(key))),
      iterate: () => {
        let total = 0;
        for (const { value } of all.iterate()) total += value[0];
        return total;
      },
    };
  },
};

function mapOf(store, load = (value) => value) {
  const map = new Map();
  return {
    set: (keys, value) => each(keys, (key) => map.set(key, store(value))),
    get: (keys) => sum(keys, (key) => load(map.get(key))),
    delete: (keys) => each(keys, (key) => map.delete(key)),
    iterate: () => {
      let total = 0;
      for (const [, value] of map) total += load(value)[0];
      return total;
    },
  };
}
