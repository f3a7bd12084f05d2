// The commands of package.json: `start`, `test` and `build` work from a fresh clone with nothing but Node and npm.
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { chdir } from "node:process";
import { fileURLToPath } from "node:url";
import { ensureInstalled } from "./install.mjs";
import { removeOrphans } from "./remove-orphans.mjs";
import { testFiles } from "./test-files.mjs";

chdir(fileURLToPath(new URL("..", import.meta.url)));
const [command, ...args] = process.argv.slice(2);

function run(name, argv) {
  const { status, signal } = spawnSync(process.execPath, argv, { stdio: "inherit" });
  if (signal !== null) console.error(`${name} was ended by ${signal}`);
  return status === 0;
}

const tool = (path) => `node_modules/${path}`;
/** Compiles what has changed; what a removed source left behind must neither be tested nor published. */
function build() {
  for (const [output, source] of [
    ["dist", "src"],
    ["build/test", "test"],
    ["build/examples", "examples"],
  ]) {
    removeOrphans(output, source);
  }
  return run("build", [tool("typescript/bin/tsc"), "-b"]);
}

function start() {
  if (!build()) return 1;
  return run("arena", ["build/examples/arena/main.js", ...args]) ? 0 : 1;
}

/** Builds, then runs an example against the product as it is built. */
function example([name, ...rest]) {
  if (!build()) return 1;
  return run(name, [`build/examples/${name}/main.js`, ...rest.filter((arg) => arg !== "--")]) ? 0 : 1;
}

/** Builds, then runs a benchmark that measures the product as it is built. */
function bench([name, ...rest]) {
  if (!build()) return 1;
  return run(`bench ${name}`, [`bench/${name}/main.mjs`, ...rest.filter((arg) => arg !== "--")]) ? 0 : 1;
}

/** Builds, then carries services over real reboots in QEMU. */
function kexec() {
  if (!build()) return 1;
  return run("kexec", ["test/kexec/main.mjs", ...args]) ? 0 : 1;
}

/** The whole fault matrix, then its table. */
async function faults() {
  if (!build()) return 1;
  process.env.KSTATE_FAULTS = "all";
  const ok = run("faults", [
    "--enable-source-maps",
    "--test",
    "--test-reporter=spec",
    "build/test/faults/faults.test.js",
    "build/test/faults/denied.test.js",
    "build/test/faults/surroundings.test.js",
  ]);
  const { failuresPage } = await import(new URL("../build/test/faults/matrix.js", import.meta.url));
  console.log(
    `\n${failuresPage()
      .split("\n")
      .filter((line) => line.startsWith("|"))
      .join("\n")}`,
  );
  console.log(ok ? "\nevery row holds" : "\nFAILED: see above which rows do not hold");
  return ok ? 0 : 1;
}

/** All checks, then the tests; the last line is `N passed, N failed`. */
function test() {
  const checks = [
    [
      "format and lint",
      () =>
        run("biome", [tool("@biomejs/biome/bin/biome"), "ci", "--colors=off", "--error-on-warnings", "."]),
    ],
    ["types", build],
    [
      "dependency rules",
      () => run("depcruise", [tool("dependency-cruiser/bin/dependency-cruise.mjs"), "src"]),
    ],
  ];
  const failed = [];
  for (const [name, check] of checks) {
    console.log(`\n── ${name}`);
    if (!check()) failed.push(name);
  }
  console.log("\n── tests");
  const summaryFile = "build/test-summary.json";
  rmSync(summaryFile, { force: true });
  const files = testFiles(args);
  const testsOk =
    files.length > 0 &&
    run("tests", [
      "--enable-source-maps",
      "--test",
      "--test-timeout=900000",
      "--test-reporter=spec",
      "--test-reporter-destination=stdout",
      "--test-reporter=./scripts/test-summary.mjs",
      `--test-reporter-destination=${summaryFile}`,
      ...files,
    ]);
  const summary = readSummary(summaryFile);
  if (summary.passed === 0) failed.push("no test was executed");
  else if (!testsOk && summary.failed === 0) failed.push("the test runner ended with an error");
  for (const { name, reason } of summary.skipped) console.log(`SKIPPED ${name}: ${reason}`);
  for (const name of failed) console.log(`FAILED ${name}`);
  const passed = checks.length - failed.filter((name) => checks.some(([check]) => check === name)).length;
  const failures = summary.failed + failed.length;
  console.log(`\n${summary.passed + passed} passed, ${failures} failed`);
  return failures === 0 ? 0 : 1;
}

function readSummary(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return { passed: 0, failed: 0, skipped: [] };
  }
}

ensureInstalled();
switch (command) {
  case "start":
    process.exitCode = start();
    break;
  case "test":
    process.exitCode = test();
    break;
  case "kexec":
    process.exitCode = kexec();
    break;
  case "bench":
    process.exitCode = bench(args);
    break;
  case "example":
    process.exitCode = example(args);
    break;
  case "faults":
    process.exitCode = await faults();
    break;
  case "build":
    process.exitCode = build() ? 0 : 1;
    break;
  default:
    console.error(
      "usage: node scripts/run.mjs start | test [FILTER…] | faults | kexec [luo] [dax] | build | bench NAME | example NAME",
    );
    process.exitCode = 2;
}
