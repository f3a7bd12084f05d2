// Lists the compiled test files: the sources under test/ name them, so that a stale build is never run.
import { readdirSync } from "node:fs";

/** Compiled test files whose path contains one of the filters (all without a filter). */
export function testFiles(filters) {
  return readdirSync("test", { recursive: true })
    .filter((path) => path.endsWith(".test.ts"))
    .map((path) => `build/test/${path.replace(/\.ts$/, ".js")}`)
    .filter((path) => filters.length === 0 || filters.some((filter) => path.includes(filter)))
    .sort();
}
