import type { PhysicalMemory } from "../memory/index.ts";
import type { Registry } from "../registry/index.ts";

/**
 * Frees the folios of the program before that the state does not have any more, and returns how many. Those that have an
 * owner stay, and those that what is carried for another version may have.
 */
export function freeUnclaimedFolios(memory: PhysicalMemory, registry: Registry): number {
  const isKept = ({ owner, address }: { readonly owner: string; readonly address: number }): boolean =>
    owner !== "" || registry.mayCarryFolio(address);
  return memory.freeUnclaimed(isKept).length;
}
