#!/usr/bin/env node
import { type ErrorCode, isKstateError } from "../error/index.ts";
import { parseCommandLine } from "./command-line.ts";
import { commands } from "./commands/index.ts";
import { helpText } from "./help.ts";
import { print, printError } from "./print.ts";
import { type CliTool, parseToolLine, tools } from "./tools/index.ts";
import { usage } from "./usage.ts";

const untried: readonly ErrorCode[] = [
  "USAGE",
  "ENTRY_INVALID",
  "RECORD_UNREADABLE",
  "NO_SUPERVISOR",
  "NAME_INVALID",
  "FILE_UNTRUSTED",
  "PEER_UNTRUSTED",
  "NAME_IN_USE",
  "NOTHING_TO_ADOPT",
  "PLATFORM_UNSUPPORTED",
];

/** Exit status: 0 done, 1 refused or failed (the service goes on as it was), 2 could not even be tried. */
async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    print(helpText);
    return name === undefined ? 2 : 0;
  }
  try {
    const tool = tools[name];
    if (tool !== undefined) return await runTool(tool, rest);
    const command = commands[name];
    if (command === undefined) throw usage(`there is no command ${name}`);
    const line = parseCommandLine(rest, command.options);
    if (line.help) {
      print(helpText);
      return 0;
    }
    return await command.run(line);
  } catch (error) {
    if (!isKstateError(error)) {
      printError(error instanceof Error ? (error.stack ?? error.message) : String(error));
      return 1;
    }
    printError(`kstate ${name}: ${error.message} [${error.code}]`);
    return untried.includes(error.code) ? 2 : 1;
  }
}

async function runTool(tool: CliTool, argv: readonly string[]): Promise<number> {
  const line = parseToolLine(argv, tool.options);
  if (line !== null) return tool.run(line);
  print(tool.help);
  return 0;
}

process.exitCode = await main(process.argv.slice(2));
