/**
 * The descriptions of a program: those that a module exports, one by one or in arrays and plain objects, and those that
 * are registered while it is imported. The module runs, so it had better be the one that only describes.
 *
 * TypeScript is read by the tsx of the module's project if it has one, else by Node's own type stripping.
 */

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Description } from "../description/index.ts";
import { KstateError } from "../error/index.ts";
import { type RegisterMessage, registerChannel } from "../registry/index.ts";

/** In the order in which they were found, each once. Throws `ENTRY_INVALID`. */
export async function loadDescriptions(entry: string): Promise<readonly Description[]> {
  const path = resolve(entry);
  if (!existsSync(path)) throw invalid(entry, "there is no such file");
  const found = new Set<Description>();
  const onRegister = (message: unknown) => void found.add((message as RegisterMessage).description);
  subscribe(registerChannel, onRegister);
  try {
    const exported = await importModule(entry, path);
    for (const value of Object.values(exported)) addFrom(value, found);
  } finally {
    unsubscribe(registerChannel, onRegister);
  }
  if (found.size === 0) throw invalid(entry, "it neither exports nor registers a description");
  return [...found];
}

async function importModule(entry: string, path: string): Promise<object> {
  const end = /\.[cm]?tsx?$/.test(path) ? await startTypeScript(entry, path) : undefined;
  try {
    return (await import(pathToFileURL(path).href)) as object;
  } catch (error) {
    throw invalid(entry, `importing it failed: ${error instanceof Error ? error.message : error}`, error);
  } finally {
    await end?.();
  }
}

type End = () => Promise<void> | void;

async function startTypeScript(entry: string, path: string): Promise<End | undefined> {
  const api = tsxOf(path);
  if (api !== undefined) {
    const { register } = (await import(pathToFileURL(api).href)) as { register(): End };
    return register();
  }
  if ((process.features as { readonly typescript?: unknown }).typescript) return undefined;
  throw invalid(
    entry,
    "this Node cannot read TypeScript; install tsx in the project, or name the compiled file",
  );
}

/** The file that tsx of the project itself would be imported from, if it has one. */
function tsxOf(path: string): string | undefined {
  const require = createRequire(path);
  try {
    const manifest = require.resolve("tsx/package.json");
    const { exports } = require(manifest) as { exports: Record<string, { import: { default: string } }> };
    return join(dirname(manifest), exports["./esm/api"]!.import.default);
  } catch {
    return undefined;
  }
}

/** Exports may be of another copy of kstate, so they are known by what they have. */
function addFrom(value: unknown, found: Set<Description>, depth = 0): void {
  if (typeof value !== "object" || value === null) return;
  if (isDescription(value)) found.add(value);
  else if (depth < 2 && (Array.isArray(value) || isPlain(value)))
    for (const inner of Object.values(value)) addFrom(inner, found, depth + 1);
}

function isDescription(value: object): value is Description {
  const { name, id, versionId, fields, subsections, hooks } = value as Partial<Description>;
  const isNamed = typeof name === "string" && Number.isInteger(id) && Number.isInteger(versionId);
  return isNamed && Array.isArray(fields) && Array.isArray(subsections) && typeof hooks === "object";
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function invalid(entry: string, problem: string, cause?: unknown): KstateError<"ENTRY_INVALID"> {
  return new KstateError(
    "ENTRY_INVALID",
    `cannot find descriptions in ${entry}: ${problem}`,
    { entry, problem },
    { cause },
  );
}
