import { resolve } from "node:path";
import { type FindOptions, openCarrier, readStream, type Waiting } from "../carrier/index.ts";
import { KstateError } from "../error/index.ts";

/** A carrier's address with its path made absolute: `file:state` is a file here. */
export function absoluteAddress(text: string): string {
  const [, kind, path] = /^(file|dax):(.+)$/.exec(text) ?? [];
  return path === undefined ? text : `${kind}:${resolve(path)}`;
}

/** What waits in a carrier, or comes from standard input; `NOTHING_SUSPENDED` when nothing does. */
export function waitingIn(text: string, options: FindOptions): Waiting {
  if (text === "-") return readStream("standard input", 0);
  const carrier = openCarrier(absoluteAddress(text));
  const waiting = carrier.find(options);
  if (waiting !== undefined) return waiting;
  throw new KstateError(
    "NOTHING_SUSPENDED",
    `cannot resume from ${carrier.name}: nothing was suspended there`,
    {
      carrier: carrier.name,
    },
  );
}
