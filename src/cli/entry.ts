import { existsSync, readFileSync } from "node:fs";
import { usage } from "./usage.ts";

/** The entries that were named, or the one of package.json. */
export function entryOf(named: readonly string[]): readonly string[] {
  if (named.length > 0) return named;
  const manifest = existsSync("package.json")
    ? (JSON.parse(readFileSync("package.json", "utf8")) as { readonly kstate?: { readonly entry?: unknown } })
    : {};
  const entry = manifest.kstate?.entry;
  if (typeof entry === "string") return [entry];
  throw usage(
    'no ENTRY: name the module with the descriptions, or put "kstate": { "entry": "src/state.ts" } into package.json',
  );
}
