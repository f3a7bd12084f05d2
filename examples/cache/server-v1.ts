/** The cache, version 1: `kstate run --memory 2G -- node server-v1.js` */
import { defineState, u64 } from "kstate";
import { serveCache } from "./cache-server.ts";

export const counters = defineState({
  name: "counters",
  id: 1,
  versionId: 1,
  fields: [
    ["hits", u64.safe],
    ["misses", u64.safe],
  ],
});
await serveCache(1, counters, { hits: 0, misses: 0 });
