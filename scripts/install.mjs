// Installs the dependencies when they are missing or out of date; a second call does nothing.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";

const stampFile = "node_modules/.kstate-installed";

/** Runs `npm ci` unless node_modules was installed from this very package-lock.json for these very dependencies. */
export function ensureInstalled() {
  const { dependencies, devDependencies, peerDependencies } = JSON.parse(
    readFileSync("package.json", "utf8"),
  );
  const stamp = createHash("sha256")
    .update(JSON.stringify([dependencies, devDependencies, peerDependencies]))
    .update(readFileSync("package-lock.json"))
    .update(process.platform + process.arch)
    .digest("hex");
  if (existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp) return;
  console.log("installing dependencies (once) …");
  const npm = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], { stdio: "inherit" });
  if (npm.status !== 0) {
    console.error("npm ci failed; the output above says why. Is the npm registry reachable?");
    process.exit(1);
  }
  writeFileSync(stampFile, stamp);
}
