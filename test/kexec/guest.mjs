// Runs in the guest, once per boot; what it finds goes to the console as lines that begin with @@.
// Boot 1: arena version 1 and a service with folios, players, suspend, kexec. Boot 2: a version that fails, then version 2,
// suspend for version 1, kexec. Boot 3: version 1 again, and then version 2 by an update: nothing may be lost on the way.
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { Registry } from "kstate";
import { WebSocket } from "ws";
import { kstate, Service } from "./guest-service.mjs";

const say = (what) => console.log(`@@ ${JSON.stringify(what)}`);
const read = (path) => readFileSync(path, "utf8").trim();
const commandLine = read("/proc/cmdline");
const [, step] = /kstate\.step=(\d)/.exec(commandLine);
const [, kind] = /kstate\.kind=(\w+)/.exec(commandLine);
const kernelOptions = ["--kernel", "/boot/kernel", ...(kind === "dax" ? ["--initrd", "/boot/initrd"] : [])];
const place = (name) => (kind === "luo" ? `luo:${name}` : `dax:/pmem/${name}.kstate`);
const arena = (version) => ["--", process.execPath, `/app/build/examples/arena/server-v${version}.js`];
const grid = ["--", process.execPath, "/app/build/test/live/fixtures/grid.js"];
const memory = ["--memory", "128M"];

process.env.KSTATE_RUNTIME_DIR = "/tmp/kstate";
say({
  step,
  bootId: read("/proc/sys/kernel/random/boot_id"),
  kernel: read("/proc/sys/kernel/osrelease"),
  uptimeMs: uptimeMs(),
});
process.on("uncaughtException", (error) => {
  say({ step, failed: error.stack });
  spawnSync("reboot", ["-f"]);
});

function uptimeMs() {
  return Math.round(Number(read("/proc/uptime").split(" ")[0]) * 1000);
}

function mountMedium() {
  const run = (command, ...args) => {
    const { status, stderr } = spawnSync(command, args, { encoding: "utf8" });
    if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`);
  };
  if (step === "1") run("mke2fs", "-q", "-b", "4096", "/dev/pmem0");
  run("mount", "-t", "ext4", "-o", "dax=always", "/dev/pmem0", "/pmem");
}

/** Players who walk and chat until every room has had a round. */
async function play({ port }, ms) {
  const players = await Promise.all(
    Array.from({ length: 6 }, async (_, index) => {
      const socket = new WebSocket(
        `ws://127.0.0.1:${port}/play?room=${index % 2 ? "amber" : "birch"}&name=player${index}`,
      );
      await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
      let n = 0;
      const next = (message) =>
        socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify({ n: ++n, ...message }));
      socket.on("message", (data) => {
        const { to, coin, x, y } = JSON.parse(data);
        if (to === undefined) return;
        if (to % 20 === 0) next({ type: "chat", text: `line ${to}` });
        else
          next({
            type: "move",
            dx: coin ? Math.sign(coin.x - x) * 8 : 1,
            dy: coin ? Math.sign(coin.y - y) * 8 : 1,
          });
      });
      socket.on("error", () => {}); // the machine is about to reboot under it
      next({ type: "move", dx: 1, dy: 1 });
      return socket;
    }),
  );
  await new Promise((resolve) => setTimeout(resolve, ms));
  return players;
}

async function digest(service) {
  const { version, handovers, posts, frozen, restored } = await service.getJson("/digest");
  return { version, handovers, posts, frozen, restored };
}

async function filled(service) {
  const { value, address, points, cached, writes } = await service.getJson("/?at=1000000&key=before");
  return { value, address, points, cached, writes };
}

/** Suspends both services, the second one by the kexec itself. Does not return. */
async function leave(forLock) {
  const next = commandLine.replace(/kstate\.step=\d/, `kstate.step=${Number(step) + 1}`);
  const options = ["--name", "arena", "--to", place("arena"), ...kernelOptions, "--append", next, ...forLock];
  const suspended = await kstate("suspend", "--name", "grid", "--to", place("grid"), "--json");
  say({ step, suspended: JSON.parse(suspended.output || JSON.stringify(suspended)) });
  const dryRun = await kstate("kexec", ...options, "--dry-run", "--json");
  say({ step, dryRun: JSON.parse(dryRun.output || JSON.stringify(dryRun)) });
  say({ step, leavingAtMs: uptimeMs(), wallMs: Date.now() });
  const { status, output, errors } = await kstate("kexec", ...options, "--json");
  throw new Error(`kexec came back with ${status}: ${output} ${errors}`);
}

/** The lock file of a version, for whom the state is written. */
async function lockOf(version) {
  const { arenaState } = await import(`/app/build/examples/arena/state-v${version}.js`);
  const registry = new Registry();
  registry.register(arenaState, { rooms: new Map(), champions: [] });
  writeFileSync("/tmp/lock.json", JSON.stringify(registry.lockRecord()));
  return ["--for", "/tmp/lock.json"];
}

/** The deprecated field as version 1 has it: of each player, and what it should be. */
async function coloursIn(path) {
  const { fileCarrier } = await import("/app/dist/carrier/index.js");
  const { arenaState } = await import("/app/build/examples/arena/state-v1.js");
  const { colourOf } = await import("/app/build/examples/arena/colour.js");
  const state = { rooms: new Map() };
  const stream = fileCarrier(path).find().restore().stream("handover").bytes;
  new Registry().restore(arenaState, state, 0, stream);
  const players = [...state.rooms.values()].flatMap((room) => [...room.players.values()]);
  return players.map(({ name, colour }) => [name, colour, colourOf(name)]);
}

async function resumed() {
  const startedMs = uptimeMs();
  const found = await Service.start("grid", ["resume", "--name", "grid", ...grid]);
  return { service: await found.connect(), startedMs };
}

if (kind === "dax") mountMedium();
if (step === "1") {
  const first = await (
    await Service.start("arena", ["run", "--name", "arena", ...memory, ...arena(1)])
  ).connect();
  const folios = await (await Service.start("grid", ["run", "--name", "grid", ...memory, ...grid])).connect();
  await folios.getJson("/fill");
  await folios.getJson("/point");
  await folios.getJson("/cache?key=before");
  await play(first, 4000);
  say({ step, digest: await digest(first), filled: await filled(folios) });
  await leave([]);
} else if (step === "2") {
  const broken = await Service.start(
    "arena",
    ["resume", "--name", "arena", ...arena(3)],
    /not resumed|ended with exit code/,
  ).catch((error) => error);
  const held = kind === "luo";
  if (!held && broken.child?.exitCode === null) await once(broken.child, "exit");
  if (held) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    say({ step, heldIn: (await broken.status()).suspendedIn });
    const again = await kstate("resume", "--name", "arena", ...arena(2));
    if (again.status !== 0) throw new Error(again.errors);
  }
  const second = held
    ? await broken.connect()
    : await (await Service.start("arena", ["resume", "--name", "arena", ...arena(2)])).connect();
  say({ step, servesAtMs: uptimeMs(), wallMs: Date.now() });
  const { service: folios } = await resumed();
  say({
    step,
    digest: await digest(second),
    filled: await filled(folios),
    champions: await second.getJson("/champions"),
  });
  await play(second, 5000);
  const { champions } = await second.getJson("/champions");
  say({ step, championsLeft: champions.length });
  await leave(await lockOf(1));
} else {
  const third = await (await Service.start("arena", ["resume", "--name", "arena", ...arena(1)])).connect();
  say({ step, servesAtMs: uptimeMs(), wallMs: Date.now() });
  const { service: folios } = await resumed();
  say({ step, digest: await digest(third), filled: await filled(folios) });
  const path = "/tmp/arena.kstate";
  const last = await kstate("suspend", "--name", "arena", "--to", `file:${path}`);
  if (last.status !== 0) throw new Error(last.errors);
  say({ step, colours: await coloursIn(path) });
  if (third.child.exitCode === null) await once(third.child, "exit");
  const fourth = await Service.start("arena", [
    "run",
    "--name",
    "arena",
    "--from",
    `file:${path}`,
    ...arena(2),
  ]);
  const { season, champions } = await (await fourth.connect()).getJson("/champions");
  say({ step, again: await digest(fourth), season, championsLeft: champions.length });
  say({ step, done: true });
  spawnSync("reboot", ["-f"]); // the services would keep this program waiting
}
