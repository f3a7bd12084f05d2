import assert from "node:assert/strict";
import { test } from "node:test";
import { RawStream } from "../support/raw-stream.js";
import { Service } from "../support/service.js";

for (const FRAMEWORK of ["fastify", "express"]) {
  test(`a service of ${FRAMEWORK} with ws keeps connections, state and long responses across updates`, async (t) => {
    const service = await Service.start(t, "frameworks", { env: { FRAMEWORK } });
    const webSocket = await service.openWebSocket(t);
    const raw = await RawStream.open(t, service.port);
    const events = await RawStream.open(t, service.port);
    events.socket.write("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
    await events.take(/text\/event-stream.*?\r\n\r\n/s);
    const first = await service.get("/");
    const oldDownload = await RawStream.open(t, service.port);
    oldDownload.socket.write("GET /download HTTP/1.1\r\nHost: x\r\n\r\n");
    await oldDownload.take(/begin\r\n/);
    const post =
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"a":"';
    for (let round = 1; round <= 4; round += 1) {
      // A body in two pieces and a slow handler are under way while the update begins.
      raw.socket.write(post);
      await service.get("/");
      const slow = service.get("/slow");
      const update = service.startUpdate("--quiesce-timeout", "60000", "--env", `FRAMEWORK=${FRAMEWORK}`);
      await update.saw(/quiescing/);
      raw.socket.write('b"}');
      await raw.take(/"body":\{"a":"b"\}\}$/);
      await slow;
      assert.equal(await update.closed(), 0, update.stderr);
      const { body, connection } = await service.get("/");
      assert.equal(connection, first.connection);
      assert.equal(body.requests, 1 + round * 4);
      assert.equal(await webSocket.ask("x"), `${round} ${body.pid}`);
      await events.take(new RegExp(`data: ${1 + round * 4}\n\n`));
    }
    process.kill(Number(first.body.pid), "SIGUSR2");
    await oldDownload.take(/ end\r\n0\r\n\r\n$/);
  });
}
