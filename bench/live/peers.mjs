// The same service replaced in other ways, for the table beside kstate's: what a client sees, and what is lost.
import { execFile, execFileSync, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const file = (path) => fileURLToPath(new URL(path, import.meta.url));
const pm2 = file("../node_modules/pm2/bin/pm2");
const service = file("peer-service.mjs");

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** A program of node that has said `text` on standard error. */
async function started(env, text) {
  const child = spawn(process.execPath, [service], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  await said(child, text);
  return child;
}

async function said(child, text) {
  for await (const chunk of child.stderr.iterator({ destroyOnReturn: false }))
    if (String(chunk).includes(text)) break;
}

async function ended(child, signal) {
  const exit = once(child, "exit");
  child.kill(signal);
  await exit;
}

/** Ways to replace a program; each gives `replace` and `end`, or the reason why it is skipped. */
const ways = {
  "stop, v8.serialize to a file, start": (env) => restarted({ ...env, STORE: "file" }),
  "stop, state in Redis, start": async (env) => {
    if (!existsSync("/usr/bin/redis-server"))
      return "redis-server is not installed (Debian: apt-get install redis-server)";
    const redis = spawn(
      "/usr/bin/redis-server",
      ["--port", "0", "--unixsocket", env.REDIS_SOCKET, "--save", ""],
      {
        stdio: "ignore",
      },
    );
    while (!existsSync(env.REDIS_SOCKET)) await pause(20);
    const way = await restarted({ ...env, STORE: "redis" });
    return {
      ...way,
      end: async () => {
        await way.end();
        await ended(redis, "SIGTERM");
      },
    };
  },
  "node:cluster, workers one by one": async (env) => {
    const child = await started({ ...env, CLUSTER: "1" }, "serves");
    await pause(1000);
    const replace = async () => {
      const done = said(child, "replaced");
      child.kill("SIGHUP");
      await done;
    };
    return { replace, end: () => ended(child, "SIGTERM") };
  },
  "PM2 reload, cluster mode": async (env) => {
    if (!existsSync(pm2)) return "pm2 is not installed (npm install pm2 in bench/)";
    const home = { ...process.env, ...env, PM2_HOME: join(env.DIRECTORY, "pm2") };
    const run = (...args) => promisify(execFile)(process.execPath, [pm2, ...args], { env: home });
    await run("start", service, "--name", "bench", "-i", "2", "--wait-ready", "--silent");
    return { replace: () => run("reload", "bench", "--silent"), end: () => run("kill", "--silent") };
  },
};

async function restarted(env) {
  let child = await started(env, "serves");
  const replace = async () => {
    await ended(child, "SIGTERM");
    child = await started(env, "serves");
  };
  return { replace, end: () => ended(child, "SIGTERM") };
}

/** Measures every way, `times` times each. Gives rows: name, gaps in ms, connections lost, whether the state was kept. */
export async function measurePeers(times, objects) {
  const rows = [];
  for (const [name, start] of Object.entries(ways)) {
    const directory = mkdtempSync(join(tmpdir(), "kstate-peer-"));
    const env = {
      DIRECTORY: directory,
      PORT: String(await freePort()),
      STATE_OBJECTS: String(objects),
      STATE_FILE: join(directory, "state"),
      REDIS_SOCKET: join(directory, "redis.sock"),
    };
    const way = await start(env);
    if (typeof way === "string") {
      console.log(`SKIPPED ${name}: ${way}`);
      rows.push({ name, skipped: way });
      rmSync(directory, { recursive: true, force: true });
      continue;
    }
    const probe = fork(file("peer-probe.mjs"), [env.PORT]);
    const ask = async () => {
      probe.send("counts");
      return (await once(probe, "message"))[0];
    };
    try {
      await pause(1500);
      const gaps = [];
      let [closed, kept] = [0, true];
      for (let time = 0; time < times; time += 1) {
        const before = await ask();
        await way.replace();
        await pause(500);
        const after = await ask();
        gaps.push(after.gapMs);
        closed += after.closed;
        kept &&= after.answers >= before.answers;
      }
      rows.push({ name, gaps, closed, kept });
    } finally {
      probe.disconnect();
      await way.end();
      rmSync(directory, { recursive: true, force: true });
    }
  }
  return rows;
}

/** Whether the peers that are programs of the system are there; as root Debian's are installed. */
export function installPeers() {
  if (existsSync("/usr/bin/redis-server") || process.getuid() !== 0) return;
  try {
    execFileSync("apt-get", ["install", "-y", "--no-install-recommends", "redis-server"], {
      stdio: "ignore",
    });
  } catch {
    // said when it is skipped
  }
}
