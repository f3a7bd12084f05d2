import { createHash } from "node:crypto";
import { type FSWatcher, readdirSync, readFileSync, watch } from "node:fs";
import { join } from "node:path";

const SOURCE = /\.(?:[cm]?[jt]s|[jt]sx|json)$/;
/** An editor or a version control system writes several files, one after the other, ms. */
const BURST_MS = 80;

/**
 * Watches the sources below some directories, without `node_modules` and whatever begins with a dot. What counts is the
 * content: a file that is saved as it was is no change.
 */
export class SourceWatch {
  readonly #ownDirectory: string;
  readonly #watchers = new Map<string, FSWatcher>();
  /** Digest of the content of every source that is there. */
  readonly #known = new Map<string, string>();
  readonly #touched = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #changed: string[] = [];
  #waiting: ((paths: string[]) => void) | undefined;

  /** `ownDirectory` is where kstate itself writes, which is no source wherever it is. Paths are absolute. */
  constructor(directories: readonly string[], ownDirectory: string) {
    this.#ownDirectory = ownDirectory;
    for (const directory of directories) this.#addDirectory(directory);
    this.#look();
    this.#changed = []; // that is how it was at the start
  }

  /** Resolves with the files that have changed since the last call; waits if there are none. */
  next(): Promise<string[]> {
    return new Promise((resolve) => {
      this.#waiting = resolve;
      this.#deliver();
    });
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers.values()) watcher.close();
  }

  #addDirectory(directory: string): void {
    if (this.#watchers.has(directory) || directory === this.#ownDirectory) return;
    const watcher = watch(directory, (_, name) => {
      if (name !== null) this.#touch(join(directory, name), name);
    });
    watcher.on("error", () => this.#removeDirectory(directory)); // it was removed
    this.#watchers.set(directory, watcher);
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      if (isLeftOut(entry.name)) continue;
      if (entry.isDirectory()) this.#addDirectory(join(directory, entry.name));
      else if (SOURCE.test(entry.name)) this.#touched.add(join(directory, entry.name));
    }
  }

  #removeDirectory(directory: string): void {
    this.#watchers.get(directory)?.close();
    this.#watchers.delete(directory);
  }

  #touch(path: string, name: string): void {
    if (isLeftOut(name)) return;
    this.#touched.add(path);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      try {
        this.#look();
      } catch (error) {
        const { message } = error as Error; // the next change looks again, and the service goes on
        process.emitWarning(`a change of the sources is not seen: ${message}`, "KstateWarning");
      }
    }, BURST_MS);
  }

  /** Compares what was touched with what was there. */
  #look(): void {
    for (const path of this.#touched) {
      this.#touched.delete(path); // a directory that is new adds its files to the set
      const digest = this.#digest(path);
      if (digest === this.#known.get(path)) continue;
      if (digest === undefined) this.#known.delete(path);
      else this.#known.set(path, digest);
      this.#changed.push(path);
    }
    this.#deliver();
  }

  /** Undefined for what is not there, and for what is no source; a directory is looked into from now on. */
  #digest(path: string): string | undefined {
    try {
      const content = SOURCE.test(path) ? readFileSync(path) : undefined;
      if (content !== undefined) return createHash("sha256").update(content).digest("hex");
      this.#addDirectory(path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ENOENT" && code !== "ENOTDIR" && code !== "EISDIR") throw error;
      if (code === "ENOENT") this.#removeDirectory(path);
    }
    return undefined;
  }

  #deliver(): void {
    if (this.#changed.length === 0 || this.#waiting === undefined) return;
    const paths = this.#changed;
    const deliver = this.#waiting;
    this.#changed = [];
    this.#waiting = undefined;
    deliver(paths);
  }
}

function isLeftOut(name: string): boolean {
  return name.startsWith(".") || name === "node_modules";
}
