import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { FindOptions, Waiting } from "./carrier.ts";
import { daxCarrier, fileCarrier } from "./file-carrier.ts";
import { luoCarrier } from "./luo-carrier.ts";
import { LUO_DEVICE } from "./luo-system.ts";

/** Where a service's state is kept unless said otherwise: `NAME.kstate` in `$KSTATE_DIR`, or in `.kstate` here. */
export function stateFile(name: string, environment: NodeJS.ProcessEnv): string {
  return resolve(environment.KSTATE_DIR || ".kstate", `${name}.kstate`);
}

/**
 * What waits for a service, wherever it was left: a LUO session of its name, `NAME.kstate` on a file system that is
 * mounted with dax, the state file; in this order. Undefined when nothing does.
 */
export function findSuspended(
  name: string,
  environment: NodeJS.ProcessEnv,
  options: FindOptions = {},
): Waiting | undefined {
  const carriers = [
    ...(existsSync(LUO_DEVICE) ? [() => luoCarrier(name)] : []),
    ...daxMounts().map((directory) => () => daxCarrier(join(directory, `${name}.kstate`))),
    () => fileCarrier(stateFile(name, environment)),
  ];
  for (const carrier of carriers) {
    const waiting = carrier().find(options);
    if (waiting !== undefined) return waiting;
  }
  return undefined;
}

/** Mount points with the option `dax` or `dax=always`. */
export function daxMounts(mounts = "/proc/self/mounts"): string[] {
  if (!existsSync(mounts)) return [];
  return readFileSync(mounts, "utf8")
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([, , , options = ""]) => options.split(",").some((option) => /^dax(=always)?$/.test(option)))
    .map(([, directory = ""]) =>
      directory.replaceAll(/\\([0-7]{3})/g, (_, code) => String.fromCharCode(Number.parseInt(code, 8))),
    );
}
