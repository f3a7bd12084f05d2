import assert from "node:assert/strict";
import { test } from "node:test";
import { Restarts, STABLE_MS } from "#src/supervisor/restarts.js";
import { Service } from "../support/service.js";

const killed = { exitCode: null, servedMs: 1 };

test("a program that failed after it had served is started again, later each time, and given up at the limit", () => {
  const restarts = new Restarts({ policy: "on-failure", limit: 10 });
  restarts.served();
  const delays = Array.from({ length: 11 }, () => restarts.decide(killed)).map((decision) =>
    decision.kind === "restart" ? decision.delayMs : decision.kind,
  );
  assert.deepEqual(delays, [0, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, "given up"]);
});

test("a program that served for a while begins anew", () => {
  const restarts = new Restarts({ policy: "on-failure", limit: 1 });
  restarts.served();
  for (let round = 0; round < 3; round += 1) {
    const decision = restarts.decide({ exitCode: 1, servedMs: STABLE_MS });
    assert.deepEqual(decision, { kind: "restart", attempt: 1, delayMs: 0 });
  }
  assert.equal(restarts.decide(killed).kind, "given up");
});

test("each policy says what ends the service", () => {
  const decide = (
    policy: "on-failure" | "always" | "never",
    exitCode: number | null,
    servedMs: number | null,
  ): string => {
    const restarts = new Restarts({ policy, limit: 5 });
    if (servedMs !== null) restarts.served();
    return restarts.decide({ exitCode, servedMs }).kind;
  };
  assert.equal(decide("on-failure", 0, 5), "over");
  assert.equal(decide("on-failure", 1, null), "over", "it has never served");
  assert.equal(decide("on-failure", 1, 5), "restart");
  assert.equal(decide("on-failure", null, 5), "restart");
  assert.equal(decide("always", 0, null), "restart");
  assert.equal(decide("never", null, 5), "over");
  const adopted = new Restarts({ policy: "on-failure", limit: 5 });
  adopted.served();
  assert.equal(
    adopted.decide({ exitCode: null, servedMs: null }).kind,
    "restart",
    "an adopted one has served",
  );
});

test("a program that is killed is started again with its in-place collections, and clients wait in the queue", async (t) => {
  const service = await Service.start(t, "grid");
  for (let round = 1; round <= 3; round += 1) {
    await service.get("/point");
    const { body } = await service.get(`/cache?key=k${round}`);
    process.kill(Number(body.pid), "SIGKILL");
    const after = await service.connectAgain("/");
    assert.notEqual(after.body.pid, body.pid);
    assert.equal(after.body.points, round, "in-place rows were lost");
  }
  for (const key of ["k1", "k2", "k3"])
    assert.equal((await service.get(`/cache?key=${key}`)).body.cached, `value of ${key}`);
  const { stdout } = await service.kstate("history", "--json");
  const kinds = stdout
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { kind: string }).kind);
  assert.deepEqual(kinds, ["started", ...Array<string[]>(3).fill(["crashed", "restarted"]).flat()]);
  assert.equal((await service.update()).status, 0);
  assert.equal((await service.get("/")).body.points, 3);
});

test("a program that fails again and again is given up, with exit status 1", async (t) => {
  const service = await Service.start(t, "counter", {
    options: ["--restart-limit", "2"],
    env: { MODE: "crash-at-restart" },
  });
  const { body } = await service.get("/");
  process.kill(Number(body.pid), "SIGKILL");
  assert.equal(await service.supervisor.closed(), 1);
  assert.match(
    service.supervisor.stderr,
    /default is given up after 2 restarts in a row: program \d+ ended with exit code 1/,
  );
  assert.match(
    (await service.kstate("history")).stdout,
    /CRASHED \d+: program \d+ ended with exit code 1; its own output says why \[PROGRAM_EXITED\]/,
  );
});

test("a successor that dies right after the commit is started again, and the history says CRASHED", async (t) => {
  const service = await Service.start(t, "counter");
  await service.get("/add?amount=5");
  const { status, stderr } = await service.update({ MODE: "kill-on-start" });
  assert.equal(status, 1, stderr);
  assert.match(stderr, /was ended by SIGKILL; its own output says why \[PROGRAM_EXITED\]/);
  await service.supervisor.saw(/restarted \d+[\s\S]* \d+ serves/);
  const { body } = await service.connectAgain("/");
  assert.deepEqual([body.from, body.count], ["recover", 5], "the state of the hand-over was lost");
  const { stdout } = await service.kstate("history");
  assert.match(stdout, /update 1 CRASHED by \S+ \(uid \d+, pid \d+\)/);
  assert.equal((await service.update({ MODE: "" })).status, 0);
});

test("an old program that is killed while it is frozen, with the update: it is started again", async (t) => {
  const service = await Service.start(t, "counter");
  const { body } = await service.get("/");
  const update = service.startUpdate("--env", "MODE=gate-on-load", "--env", `GATE=${service.directory}/gate`);
  await service.supervisor.saw(/at the gate/);
  process.kill(Number(body.pid), "SIGKILL");
  assert.equal(await update.closed(), 1);
  await service.supervisor.saw(/restarted \d+[\s\S]* \d+ serves/);
  const after = await service.connectAgain("/");
  assert.deepEqual([after.body.from, after.body.count], ["boot", 0]);
  assert.equal((await service.update({ VERSION: "2" })).status, 0);
});

test("stop while a restart is waited for ends at once", async (t) => {
  const service = await Service.start(t, "counter", {
    options: ["--restart-limit", "100"],
    env: { MODE: "crash-at-restart" },
  });
  const { body } = await service.get("/");
  process.kill(Number(body.pid), "SIGKILL");
  await service.supervisor.saw(/again in 1.6 s/);
  assert.equal((await service.kstate("stop")).status, 0);
  assert.equal(await service.supervisor.closed(), 0);
});
