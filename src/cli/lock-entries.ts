import type { LockFile } from "../check/index.ts";
import {
  codeHashes,
  type Description,
  definitionStack,
  lockRecord,
  reachable,
} from "../description/index.ts";
import { loadDescriptions } from "./load-descriptions.ts";
import { SourceLocations } from "./source-locations.ts";

/** The lock file of what entries export or register. Throws `ENTRY_INVALID`. */
export async function lockEntries(entries: readonly string[]): Promise<LockFile> {
  process.setSourceMapsEnabled(true); // before anything is imported, so that stacks tell the places of the TypeScript
  const descriptions: Description[] = [];
  for (const entry of entries) descriptions.push(...(await loadDescriptions(entry)));
  const record = lockRecord(descriptions);
  const sources = new SourceLocations(process.cwd());
  const stacks = new Map(
    Array.from(reachable(descriptions), (found) => [found.name, definitionStack(found)]),
  );
  for (const [index, { name, fields }] of record.descriptions.entries()) {
    const fieldNames = fields.map((field) => field.name);
    sources.add(`/descriptions/${index}`, stacks.get(name) ?? "", fieldNames);
  }
  return { record, sources: sources.found, code: codeHashes(descriptions) };
}
