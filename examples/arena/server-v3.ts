/** The arena, version 3, as it should not be: it needs a file that nobody has deployed. It never gets ready. */
import { readFileSync } from "node:fs";
import { joinLiveUpdate } from "kstate/live";

const live = await joinLiveUpdate({ name: "arena" });
const levels: unknown = JSON.parse(readFileSync(new URL("levels.json", import.meta.url), "utf8"));
console.log("levels", levels);
await live.ready();
