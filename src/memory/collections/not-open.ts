import { KstateError } from "../../error/index.ts";

/** A collection is used while the memory is another program's. */
export function notOpen(kind: "array" | "map", name: string): never {
  throw new KstateError(
    "NOT_ALLOWED_NOW",
    `cannot use the ${kind} ${name}: another program owns the memory until the commit; use it after ready()`,
    { call: kind, phase: "waiting" },
  );
}
