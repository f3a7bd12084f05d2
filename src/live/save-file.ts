import { writeFileSync } from "node:fs";
import { type ErrorRecord, toErrorRecord } from "../error/index.ts";
import type { Registry } from "../registry/index.ts";

/** Saves a running program's state into a new file of its user alone; gives the reason why it could not. */
export function saveFile(registry: Registry, path: string): ErrorRecord | null {
  try {
    writeFileSync(path, registry.save(), { flag: "wx", mode: 0o600 });
    return null;
  } catch (error) {
    return toErrorRecord(error);
  }
}
