/** The cache, version 2: it also knows how many versions have served these entries. */
import { defineState, u32, u64 } from "kstate";
import { serveCache } from "./cache-server.ts";

const counters = defineState({
  name: "counters",
  id: 1,
  versionId: 2,
  minVersionId: 1,
  fields: [
    ["hits", u64.safe],
    ["misses", u64.safe],
    ["versions", u32.since(2, 2)],
  ],
});
await serveCache(2, counters, { hits: 0, misses: 0, versions: 1 });
