import { isKstateError, KstateError } from "../error/index.ts";
import { commandText } from "./command-text.ts";

/** Why a command could not be started. */
export function cannotStart(argv: readonly string[], cause: unknown): KstateError<"SPAWN_FAILED"> {
  const { message, code } = cause as NodeJS.ErrnoException;
  const errno = isKstateError(cause, "SYSTEM_CALL") ? cause.detail.errno : (code ?? "?");
  const text = commandText(argv).replaceAll("\0", "\\0");
  return new KstateError(
    "SPAWN_FAILED",
    `cannot start ${text}: ${message}`,
    { command: text, errno },
    { cause },
  );
}
