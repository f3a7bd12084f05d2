import { dropCollections, type PhysicalMemory } from "../memory/index.ts";

/** Begins without the collections that `KSTATE_DROP_COLLECTION` names, with commas between; every time, so it says so. */
export function dropAsTold(memory: PhysicalMemory): void {
  const names = (process.env.KSTATE_DROP_COLLECTION ?? "").split(",").filter((name) => name !== "");
  if (names.length === 0) return;
  dropCollections(memory, names);
  const message = `begun without ${names.join(", ")}, as KSTATE_DROP_COLLECTION says; unset it, or the next start does the same`;
  process.emitWarning(message, "KstateWarning", "COLLECTION_DROPPED");
}
