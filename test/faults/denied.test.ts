/**
 * What a hand-over does when the kernel refuses it something. Whatever is refused before the verdict, and whenever there are
 * too few descriptors, the old program goes on or the new one has it all; after the verdict no refusal loses a client.
 * A part of the rows, or all with KSTATE_FAULTS=all (`npm run test:faults`).
 *
 * Not among them: epoll_ctl, without which libuv ends any process at once, whatever it does.
 */
import assert from "node:assert/strict";
import { Agent, get } from "node:http";
import { type TestContext, test } from "node:test";
import type { Service } from "../support/service.js";
import { CountedService, LEDGER } from "./counted-service.js";
import { DENIED, type DeniedCalls } from "./deny.js";

const all = process.env.KSTATE_FAULTS === "all";
const canDeny = process.platform === "linux" && process.arch === "x64";

/** Asked of the supervisor: a program that is refused `accept` takes no new connection. */
async function serving(service: Service): Promise<{ readonly pid: number; readonly phase: string }> {
  const { stdout } = await service.kstate("status", "--json");
  return (JSON.parse(stdout) as { program: { pid: number; phase: string } }).program;
}

interface Row {
  readonly role: "old" | "new";
  /** In a program's life; `verdict` is when it makes or learns it. */
  readonly moment: "joins" | "loads" | "stops" | "verdict";
  readonly calls: DeniedCalls;
}

const moments = [
  ["new", "joins"],
  ["new", "loads"],
  ["new", "verdict"],
  ["old", "stops"],
  ["old", "verdict"],
] as const;
const rows: readonly Row[] = (Object.keys(DENIED) as DeniedCalls[]).flatMap((calls) =>
  moments.map(([role, moment]) => ({ role, moment, calls })),
);
/** What was lost before, and one of each kind. */
const always = ["new verdict fcntl", "new verdict sendmsg", "old verdict mmap", "new joins fcntl"];

for (const { role, moment, calls } of rows) {
  const name = `${role} ${moment} ${calls}`;
  if (!all && !always.includes(name)) continue;
  const from = moment === "verdict" ? "from the verdict on" : `from when it ${moment}`;
  test(`the ${role} program is refused ${calls} ${from}`, async (t) => {
    if (!canDeny) return t.skip("NOT TESTED: the filter's numbers are those of Linux on x64");
    const running = await CountedService.begin(t, { env: { DENY: `${role}:${moment}:${calls}` } });
    const { service } = running;
    const { pid: before } = await serving(service);
    const timeouts = calls === "accept" && moment === "joins" ? ["--boot-timeout", "8000"] : [];
    const { status, stderr } = await service.update({ ROLE: "new" }, "--freeze-timeout", "3000", ...timeouts);
    const { pid, phase } = await serving(service);
    t.diagnostic(`${pid === before ? "old" : "new"} serves; ${stderr.trim().split("\n").at(-1)}`);
    if (moment === "verdict") assert.equal(status, 0, stderr + service.supervisor.stderr);
    assert.equal(pid === before, status !== 0, stderr + service.supervisor.stderr);
    assert.equal(phase, "serving");
    await running.nobodyWasLost();
  });
}

/** Connections that ask once and stay. */
async function stayConnected(t: TestContext, { port }: Service, count: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: count });
  t.after(() => agent.destroy());
  const asked = Array.from(
    { length: count },
    () =>
      new Promise<void>((resolve, reject) => {
        get({ port, host: "127.0.0.1", path: "/count?client=none", agent }, (response) => {
          response.resume().once("end", resolve);
        }).once("error", reject);
      }),
  );
  await Promise.all(asked);
}

/** An update to a program that may have so many files open. */
function updateWithin(service: Service, limit: number) {
  const shell = `ulimit -n ${limit} && exec "$0" "$@"`;
  return service.kstate("update", "--env", "ROLE=new", "--", "sh", "-c", shell, ...LEDGER);
}

test("a program that may have fewer files open than there are connections is refused by that name", async (t) => {
  const running = await CountedService.begin(t);
  const { service } = running;
  await stayConnected(t, service, 250);
  const { status, stderr } = await updateWithin(service, 256);
  assert.equal(status, 1, stderr);
  assert.match(stderr, /the limit of open files of 256 leaves no descriptor for its connections; raise it/);
  assert.match(stderr, /\[DESCRIPTOR_LIMIT\]/);
  assert.equal((await service.get("/")).body.role, "old");
  await running.nobodyWasLost();
});

test("the more connections there are, an update loses nobody until it is refused", async (t) => {
  const running = await CountedService.begin(t);
  const { service } = running;
  const step = all ? 1 : 8;
  await stayConnected(t, service, 196);
  for (let connections = 196; ; connections += step) {
    const { status, stderr } = await updateWithin(service, 256);
    for (const client of running.clients) await client.more(2);
    for (const client of running.clients) assert.equal(client.broken, 0, `${connections}: ${stderr}`);
    if (status !== 0) {
      assert.match(stderr, /\[DESCRIPTOR_LIMIT\]/);
      t.diagnostic(`refused with ${connections} more connections: ${stderr.trim().split("\n").at(-1)}`);
      break;
    }
    assert.ok(connections < 256, "nothing was refused");
    await stayConnected(t, service, step);
  }
  await running.nobodyWasLost();
});
