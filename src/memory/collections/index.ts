export { dropCollection, dropCollections } from "./collection-memory.ts";
export { assertOpenable, type CollectionRecord } from "./collection-record.ts";
export type { Column, NumberColumn } from "./column-type.ts";
export { type ArrayOptions, FolioArray, openArray } from "./folio-array.ts";
export { FolioMap, openMap } from "./folio-map.ts";
export type { MapOptions } from "./map-options.ts";
