import { parseEnv } from "node:util";
import { readOwn } from "../system/index.ts";
import type { Command } from "./program.ts";

/**
 * What a command adds to the supervisor's environment. Its files are read now, so that what is in them is written down
 * nowhere and may have changed since the last start; errors are those of opening them, and `FILE_UNTRUSTED`.
 */
export function environmentOf({ environment, environmentFiles = [] }: Command): NodeJS.ProcessEnv {
  const files = environmentFiles.map((path) => parseEnv(readOwn(path).toString("utf8")));
  return Object.assign({}, ...files, environment) as NodeJS.ProcessEnv;
}
