/** The fault matrix with real processes: a part of it, or all with KSTATE_FAULTS=all (`npm run test:faults`). */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import type { Service } from "../support/service.js";
import { CountedService } from "./counted-service.js";
import { type FaultCase, failuresPage, matrix, type Serves, titleOf } from "./matrix.js";

interface Running {
  readonly counted: CountedService;
  readonly oldPid: number;
}

async function begin(t: TestContext, each: FaultCase): Promise<Running> {
  const victim = each.victim === "supervisor" ? "supervisor" : each.victim === each.role ? "self" : "other";
  const injected = !["state", "memory"].includes(each.action);
  const counted = await CountedService.begin(t, {
    env: {
      ...(injected && { FAULT: `${each.role}:${each.step}:${each.action}:${victim}` }),
      ...(each.action === "memory" && { BALLAST: String(64 * 1024 * 1024) }),
    },
    options: each.action === "memory" ? ["--memory", "32M"] : [],
  });
  return { counted, oldPid: Number((await counted.service.get("/")).body.pid) };
}

/** Waits until a process is stopped, and lets it go on. */
async function goOn(pid: number): Promise<void> {
  while (!/^\d+ \(.*\) T /s.test(readFileSync(`/proc/${pid}/stat`, "utf8")))
    await new Promise((resolve) => setTimeout(resolve, 5));
  process.kill(pid, "SIGCONT");
}

async function untilServedBy(service: Service, role: string): Promise<void> {
  while ((await service.connectAgain("/")).body.role !== role)
    await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Runs the update into its fault, and does what an operator would have to do. */
async function fail({ counted: { service }, oldPid }: Running, each: FaultCase): Promise<void> {
  const version = each.action === "state" ? ["--env", "VERSION=9"] : [];
  const output = service.supervisor;
  const update = service.startUpdate("--env", "ROLE=new", ...version, ...(each.options ?? []));
  const supervisorPid = output.child.pid!;
  if (each.victim === "supervisor") {
    await output.saw(/fault: \d+ is at/);
    if (each.action === "kill") {
      await output.exited();
      await service.adopt();
    } else {
      await untilServedBy(service, "new");
      await goOn(supervisorPid);
    }
  } else if (each.action === "stop" && each.step === "begins to serve") {
    await output.saw(/fault: \d+ is at/);
    await goOn(Number(/fault: (\d+) is at/.exec(output.stderr)?.[1]));
  }
  await update.closed();
  if (each.action === "stop" && each.victim === "old") await goOn(oldPid);
}

/** Waits until the supervisor, too, knows that the program serves. */
async function untilKnown(service: Service): Promise<void> {
  for (;;) {
    const { stdout } = await service.kstate("status", "--json");
    if ((JSON.parse(stdout) as { program: { phase: string } }).program.phase === "serving") return;
  }
}

async function whoServes({ counted: { service }, oldPid }: Running): Promise<Serves> {
  const { body } = await service.connectAgain("/");
  if (body.pid === oldPid) return "old";
  const { stdout } = await service.kstate("history", "--json");
  return stdout.includes('"kind":"restarted"') ? "restarted" : "new";
}

const all = process.env.KSTATE_FAULTS === "all";
for (const each of matrix.filter(({ always }) => all || always)) {
  test(titleOf(each), async (t) => {
    const running = await begin(t, each);
    const { counted } = running;
    const { service } = counted;
    await fail(running, each);
    await counted.more(5);
    const serves = await whoServes(running);
    assert.ok(each.serves.includes(serves), `${serves} serves:\n${service.supervisor.stderr}`);
    const { broken } = counted;
    if (each.connections === "kept") assert.equal(broken, 0, "a client had to connect again");
    if (each.connections === "lost") assert.ok(broken > 0, "the fault did not happen");
    await untilKnown(service);
    const again = await service.update({ ROLE: "later", VERSION: "1" });
    if (each.action !== "memory") assert.equal(again.status, 0, again.stderr + service.supervisor.stderr);
    await counted.more(5);
    await counted.nothingWasLost();
    t.diagnostic(`${serves} serves, ${broken} connections broken`);
  });
}

test("the page about failures is made from the matrix", () => {
  const page = new URL("../../../docs/explanation/failures.md", import.meta.url);
  assert.equal(readFileSync(page, "utf8"), failuresPage(), "run node scripts/failures-doc.mjs");
});
