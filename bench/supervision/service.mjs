// A stateful HTTP service; prints the port that it serves on.
import { createServer } from "node:http";
import { defineState, u32 } from "../../dist/index.js"; // bench/ has dependencies of its own, so the package is not found by its name here
import { joinLiveUpdate } from "../../dist/live/index.js";

const mine = { answers: 0 };
const server = createServer((_, response) => {
  mine.answers += 1;
  response.end("here");
});
const live = await joinLiveUpdate({ name: "bench" });
live.register(defineState({ name: "state", id: 1, fields: [["answers", u32]] }), mine);
live.listen(server, { port: 0, host: "127.0.0.1" });
await live.ready();
console.log(server.address().port);
process.on("SIGTERM", () => process.exit(0));
