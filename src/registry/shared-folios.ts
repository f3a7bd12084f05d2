import type { Folio } from "../description/index.ts";
import type { FolioAt } from "./load.ts";

/**
 * For one load: fields that have one address get one folio, as they had when they were saved, though memory gives each
 * out once. Address 0 stands for no folio.
 */
export function sharedFolios(folioAt: FolioAt): FolioAt {
  const known = new Map<bigint, Folio>();
  return (address) => {
    let folio = known.get(address);
    if (folio === undefined) {
      folio = folioAt(address);
      if (address !== 0n) known.set(address, folio);
    }
    return folio;
  };
}
