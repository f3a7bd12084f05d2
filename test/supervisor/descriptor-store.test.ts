import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  AF,
  bindSocket,
  closeDescriptor,
  createSocket,
  POLL,
  poll,
  type ReceivedMessage,
  receiveMessage,
  unixAddress,
} from "#src/memory/index.js";
import { ChildOutput } from "../support/child-output.js";
import { cli, fixture, kstate, runtimeDirectory } from "../support/service.js";

/** A socket in the place of systemd's. */
function notifySocket(t: TestContext): { path: string; next(): ReceivedMessage } {
  const path = join(runtimeDirectory(t), "notify");
  const socket = createSocket(AF.unix, "datagram");
  t.after(() => closeDescriptor(socket));
  bindSocket(socket, unixAddress(path));
  return {
    path,
    next: () => {
      const [events] = poll([{ fd: socket, events: POLL.in }], 30_000);
      assert.notEqual(events, 0, "nothing was sent");
      return receiveMessage(socket) as ReceivedMessage;
    },
  };
}

const text = ({ payload }: ReceivedMessage): string => Buffer.from(payload).toString();

/** A service as systemd starts it, with what it has kept as descriptor 3. */
function startUnit(t: TestContext, directory: string, notify: string, kept: number | undefined): ChildOutput {
  const listen = kept === undefined ? "" : "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=kstate-memory ";
  const command = `${listen}exec "${process.execPath}" "${cli}" run -- "${process.execPath}" "${fixture("counter")}"`;
  const env = {
    ...process.env,
    KSTATE_RUNTIME_DIR: directory,
    KSTATE_DIR: directory,
    NOTIFY_SOCKET: notify,
    FDSTORE: "1",
  };
  const child = spawn("sh", ["-c", command], {
    env,
    stdio: ["ignore", "pipe", "pipe", ...(kept === undefined ? [] : [kept])],
  });
  const unit = new ChildOutput(child);
  t.after(async () => {
    child.kill("SIGTERM");
    await unit.closed();
  });
  return unit;
}

async function count(directory: string, path = "/"): Promise<unknown> {
  const { listeners } = JSON.parse((await kstate(directory, "status", "--json")).stdout) as {
    listeners: string[];
  };
  const response = await fetch(`http://${listeners[0]}${path}`, { headers: { connection: "close" } });
  return ((await response.json()) as { count: unknown }).count;
}

test("under systemd the memory goes into the descriptor store, and a restart goes on with it", async (t) => {
  const directory = runtimeDirectory(t);
  const systemd = notifySocket(t);
  const first = startUnit(t, directory, systemd.path, undefined);
  await first.saw(/ serves/);
  assert.equal(text(systemd.next()), "FDSTOREREMOVE=1\nFDNAME=kstate-memory");
  const stored = systemd.next();
  assert.equal(text(stored), "FDSTORE=1\nFDNAME=kstate-memory");
  const [memory] = stored.descriptors as [number];
  t.after(() => closeDescriptor(memory));
  assert.equal(await count(directory, "/add?amount=41"), 41);
  first.child.kill("SIGTERM");
  assert.equal(await first.closed(), 0);

  const second = startUnit(t, directory, systemd.path, memory);
  await second.saw(/resumed from process:memfd/);
  await second.saw(/ serves/);
  assert.equal(await count(directory, "/add?amount=1"), 42);
});

test("without the store the memory ends with the service", async (t) => {
  const directory = runtimeDirectory(t);
  const unit = startUnit(t, directory, join(directory, "nobody"), undefined);
  await unit.saw(/the memory is not kept by systemd: connect failed/);
  await unit.saw(/ serves/);
  assert.equal((await kstate(directory, "stop")).status, 0);
  assert.equal(await unit.closed(), 0);
});
