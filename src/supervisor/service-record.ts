/**
 * CONTRACT: what a supervisor writes down about its service, version 1: the file `NAME.json` in the runtime directory,
 * mode 0600, replaced as a whole whenever something in it changes, removed when the service ends. A supervisor that
 * adopts the service reads it.
 *
 * Written before a program is started: where its control socket will be. So whoever reads it finds every program that
 * there may be. While an update is under way both of its programs are in it; the verdict word of `update.generation`
 * in their memory says which one counts.
 */
import { unlinkSync } from "node:fs";
import { join } from "node:path";
import { isKstateError } from "../error/index.ts";
import { readOwn, replaceOwn } from "../system/index.ts";
import type { Command } from "./program.ts";

const VERSION = 1;

export interface ProgramRecord {
  readonly controlPath: string;
  readonly command: Command;
  /** ISO 8601. */
  readonly startedAt: string;
  /** Null until it has been started. */
  readonly process: { readonly pid: number; readonly startTicks: number } | null;
}

export interface ServiceRecord {
  readonly version: typeof VERSION;
  readonly name: string;
  readonly supervisor: { readonly pid: number; readonly startTicks: number };
  readonly cwd: string;
  /** Of the last update that was begun. */
  readonly generation: number;
  readonly program: ProgramRecord;
  /** What a rollback would start. */
  readonly previous: Command | null;
  readonly update: { readonly generation: number; readonly successor: ProgramRecord } | null;
}

/** The record of one service. */
export class ServiceRecordFile {
  readonly #path: string;

  constructor(runtimeDirectory: string, name: string) {
    this.#path = join(runtimeDirectory, `${name}.json`);
  }

  /** Null when there is none, or none that can be understood. `FILE_UNTRUSTED`. */
  read(): ServiceRecord | null {
    try {
      const record = JSON.parse(readOwn(this.#path).toString("utf8")) as ServiceRecord;
      return record.version === VERSION ? record : null;
    } catch (error) {
      if (isKstateError(error)) throw error;
      return null;
    }
  }

  write(record: Omit<ServiceRecord, "version">): void {
    replaceOwn(this.#path, `${JSON.stringify({ version: VERSION, ...record })}\n`);
  }

  remove(): void {
    try {
      unlinkSync(this.#path);
    } catch {
      // it was not there, or its directory has gone: there is nothing to find either way
    }
  }
}

/** The program of a service that still runs although its supervisor has ended; null when there is none. */
export function findOrphan(
  runtimeDirectory: string,
  name: string,
  startTicks: (pid: number) => number | null,
): number | null {
  const record = new ServiceRecordFile(runtimeDirectory, name).read();
  if (record === null) return null;
  const found = [record.program, record.update?.successor]
    .map((program) => program?.process)
    .find((process) => process != null && startTicks(process.pid) === process.startTicks);
  return found?.pid ?? null;
}
