import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ChildOutput } from "../support/child-output.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const project = mkdtempSync(join(tmpdir(), "kstate-package-"));
let archive = "";

before(() => {
  const packed = run("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", project], root);
  archive = join(project, packed.trim().split("\n").at(-1) ?? "");
});
after(() => rmSync(project, { recursive: true, force: true }));

/** Runs a command to its end and returns what it prints; its failure is the test's. */
function run(command: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8" });
  assert.equal(status, 0, `${command} ${args.join(" ")}: ${error?.message ?? ""}\n${stdout}\n${stderr}`);
  return stdout;
}

/** The code block of the README under a marker. */
function readmeBlock(marker: string): string {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  const block = new RegExp(`<!-- ${marker} -->\n\`\`\`\\w+\n(.*?)\`\`\``, "s").exec(readme)?.[1];
  assert.ok(block, `the README has no block "${marker}"`);
  return block;
}

test("the package is well formed for every resolver of ES modules", () => {
  const bin = (name: string): string => join(root, "node_modules/.bin", name);
  run(bin("publint"), ["--strict", archive], root);
  run(bin("attw"), [archive, "--profile", "esm-only", "--format", "ascii"], root);
});

test("the README's example runs from an empty project as it stands there", async () => {
  writeFileSync(join(project, "package.json"), JSON.stringify({ private: true }));
  run(
    "npm",
    ["install", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error", archive],
    project,
  );
  assert.deepEqual(
    readdirSync(join(project, "node_modules"))
      .filter((name) => !name.startsWith("."))
      .sort(),
    ["@koromix", "@noble", "koffi", "kstate"],
  );
  writeFileSync(join(project, "visits.mjs"), readmeBlock("example: visits.mjs"));
  const environment = { ...process.env, KSTATE_RUNTIME_DIR: join(project, "run"), PORT: "0" };
  const kstate = (...args: string[]): ChildOutput =>
    new ChildOutput(
      spawn(join(project, "node_modules/.bin/kstate"), args, {
        cwd: project,
        env: environment,
        stdio: ["ignore", "pipe", "pipe"],
      }),
    );
  const supervisor = kstate("run", "--", "node", "visits.mjs");
  try {
    await supervisor.saw(/ serves/);
    const status = kstate("status", "--json");
    await status.closed();
    const port = /:(\d+)$/.exec(
      (JSON.parse(status.stdout) as { listeners: string[] }).listeners[0] ?? "",
    )?.[1];
    const visit = async (): Promise<string> =>
      (await fetch(`http://localhost:${port}/`, { headers: { "user-agent": "curl/7.88.1" } })).text();
    assert.match(await visit(), /^visit 1, after nobody, served by \d+\n$/);
    const update = kstate("update");
    assert.equal(await update.closed(), 0, update.stderr);
    assert.match(
      update.stdout,
      /^updated in [\d.]+ s: \d+ serves: node visits.mjs\n {2}blackout [\d.]+ ms, quiesce [\d.]+ ms, state \d+ bytes, \d+ HTTP connections, 0 WebSockets\n$/,
    );
    assert.match(await visit(), /^visit 2, after curl\/7.88.1, served by \d+\n$/);
    const rollback = kstate("rollback");
    assert.equal(await rollback.closed(), 0, rollback.stderr);
    assert.match(await visit(), /^visit 3, /);
  } finally {
    supervisor.child.kill("SIGTERM");
    await supervisor.closed();
  }
});

test("the README's types are what it says, in a strict project", () => {
  const check = [
    readmeBlock("check: types"),
    "const typed: Player = { name: 'a', hp: 1, energy: 2 };",
    "// @ts-expect-error lives is gone",
    "typed.lives;",
    "import { joinLiveUpdate } from 'kstate/live';",
    "const live = await joinLiveUpdate({ name: 'x' });",
    "live.register(player, typed);",
    "// @ts-expect-error not a player",
    "live.register(player, { name: 'a' });",
  ];
  writeFileSync(join(project, "readme.mts"), check.join("\n"));
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const typeRoots = join(root, "node_modules/@types");
  run(
    process.execPath,
    [
      tsc,
      "--noEmit",
      "--strict",
      "--module",
      "nodenext",
      "--target",
      "es2023",
      "--typeRoots",
      typeRoots,
      "--types",
      "node",
      "readme.mts",
    ],
    project,
  );
});
