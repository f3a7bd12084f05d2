import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { requestControl, runtimeDirectory, socketPath } from "../supervisor/index.ts";

/**
 * Calls `use` with the path of a stream's file. `unix:PATH`, or a name that is no file, is a running service: its program
 * saves its state, without its connections' bytes and what is in folios, into a file that is removed afterwards.
 */
export async function withStreamPath<T>(source: string, use: (path: string) => Promise<T>): Promise<T> {
  const control = controlPathOf(source);
  if (control === undefined) return use(source);
  const directory = mkdtempSync(join(tmpdir(), "kstate-save-"));
  try {
    const path = join(directory, "stream");
    await requestControl(source, control, { type: "save", path });
    return await use(path);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function controlPathOf(source: string): string | undefined {
  if (source.startsWith("unix:")) return source.slice("unix:".length);
  if (existsSync(source) || /[/\\]|\.\w+$/.test(source)) return undefined;
  return socketPath(runtimeDirectory(process.env), source);
}
