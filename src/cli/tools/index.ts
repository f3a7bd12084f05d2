import { check } from "./check.ts";
import { compile } from "./compile.ts";
import { dev } from "./dev.ts";
import { diff } from "./diff.ts";
import { golden } from "./golden.ts";
import { inspect } from "./inspect.ts";
import { lock } from "./lock.ts";
import type { CliTool } from "./tool.ts";

export { type CliTool, parseToolLine } from "./tool.ts";

export const tools: Readonly<Record<string, CliTool>> = Object.assign(Object.create(null), {
  lock,
  check,
  compile,
  inspect,
  diff,
  dev,
  golden,
} satisfies Record<string, CliTool>);
