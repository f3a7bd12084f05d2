import { type ParseArgsConfig, parseArgs } from "node:util";
import { usage } from "../usage.ts";

type Options = NonNullable<ParseArgsConfig["options"]>;

/** What stands on the command line of a tool. */
export interface ToolLine {
  readonly positionals: readonly string[];
  /** An option with a value; undefined if it was not given. */
  text(option: string): string | undefined;
  /** An option that may be repeated. */
  texts(option: string): readonly string[];
  flag(option: string): boolean;
}

/** A command that works on descriptions and streams, not on a service. */
export interface CliTool {
  readonly help: string;
  readonly options: Options;
  /** Resolves with the exit status. */
  run(line: ToolLine): Promise<number>;
}

/** Reads the command line of a tool; `USAGE` says what is wrong, null means that help was asked for. */
export function parseToolLine(argv: readonly string[], options: Options): ToolLine | null {
  const { values, positionals } = parsed(argv, { ...options, help: { type: "boolean", short: "h" } });
  if (values.help === true) return null;
  return {
    positionals,
    text: (option) => values[option] as string | undefined,
    texts: (option) => (values[option] ?? []) as string[],
    flag: (option) => values[option] === true,
  };
}

function parsed(argv: readonly string[], options: Options) {
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true });
  } catch (error) {
    throw usage((error as Error).message.replace(/\.? ?To specify.*$/s, ""));
  }
}
