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
      return isRecord(record) ? record : null;
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

/** Whether it has what is used of it without asking again. */
function isRecord(record: ServiceRecord): boolean {
  const { version, supervisor, cwd, generation, program, previous, update } = record;
  const isNumber = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
  const isProcess = (of: { pid: number; startTicks: number } | null): boolean =>
    of === null || (isNumber(of.pid) && isNumber(of.startTicks));
  const isCommand = ({ argv, environment }: Command): boolean =>
    Array.isArray(argv) && argv.every((text) => typeof text === "string") && typeof environment === "object";
  const isProgram = (of: ProgramRecord): boolean =>
    typeof of.controlPath === "string" &&
    isCommand(of.command) &&
    !Number.isNaN(Date.parse(of.startedAt)) &&
    isProcess(of.process);
  return (
    version === VERSION &&
    isProcess(supervisor) &&
    typeof cwd === "string" &&
    isNumber(generation) &&
    isProgram(program) &&
    (previous === null || isCommand(previous)) &&
    (update === null || (isNumber(update.generation) && isProgram(update.successor)))
  );
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
