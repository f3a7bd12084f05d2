import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { KstateError } from "../../error/index.ts";

/**
 * The command that runs a source file: TypeScript by the tsx of its project if it has one, else by Node's own type
 * stripping. Throws `ENTRY_INVALID`.
 */
export function sourceCommand(entry: string, args: readonly string[]): string[] {
  const path = resolve(entry);
  if (!existsSync(path)) throw invalid(entry, "there is no such file");
  return [process.execPath, ...loaderOptions(entry, path), path, ...args];
}

function loaderOptions(entry: string, path: string): string[] {
  if (!/\.[cm]?tsx?$/.test(path)) return [];
  const tsx = tsxOf(path);
  if (tsx !== undefined) return ["--import", pathToFileURL(tsx).href];
  if ((process.features as { readonly typescript?: unknown }).typescript) return [];
  throw invalid(
    entry,
    `Node ${process.versions.node} cannot run TypeScript by itself: npm install --save-dev tsx, or use Node 22.18 or newer`,
  );
}

function tsxOf(path: string): string | undefined {
  try {
    return createRequire(path).resolve("tsx");
  } catch {
    return undefined;
  }
}

function invalid(entry: string, problem: string): KstateError<"ENTRY_INVALID"> {
  return new KstateError("ENTRY_INVALID", `cannot run ${entry}: ${problem}`, { entry, problem });
}
