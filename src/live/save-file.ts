import { type ErrorRecord, KstateError, toErrorRecord } from "../error/index.ts";
import type { Registry } from "../registry/index.ts";
import { createOwn } from "../system/index.ts";

/** Saves a running program's state into a new file of its user alone; gives the reason why it could not. */
export function saveFile(registry: Registry, path: string): ErrorRecord | null {
  try {
    createOwn(path, registry.save());
    return null;
  } catch (error) {
    return toErrorRecord(isOfSystem(error) ? failed(path, error) : error);
  }
}

function isOfSystem(error: unknown): error is NodeJS.ErrnoException & { readonly code: string } {
  return error instanceof Error && "syscall" in error && "code" in error && typeof error.code === "string";
}

function failed(path: string, cause: { readonly code: string; readonly message: string }): KstateError {
  return new KstateError(
    "STATE_FILE_FAILED",
    `cannot save into ${path}: ${cause.message}`,
    { path, errno: cause.code },
    { cause },
  );
}
