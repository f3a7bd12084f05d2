import { type ErrorRecord, toErrorRecord } from "../error/index.ts";
import type { Registry } from "../registry/index.ts";
import { createOwn } from "../system/index.ts";

/** Saves a running program's state into a new file of its user alone; gives the reason why it could not. */
export function saveFile(registry: Registry, path: string): ErrorRecord | null {
  try {
    createOwn(path, registry.save());
    return null;
  } catch (error) {
    return toErrorRecord(error);
  }
}
