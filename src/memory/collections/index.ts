export { dropCollection } from "./collection-memory.ts";
export { type ArrayOptions, type Column, FolioArray, type NumberColumn, openArray } from "./folio-array.ts";
export { FolioMap, type MapOptions, openMap } from "./folio-map.ts";
