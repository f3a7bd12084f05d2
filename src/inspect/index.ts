export { type ByteSource, Damage, sourceOf } from "./byte-window.ts";
export { type Difference, diffStreams } from "./diff.ts";
export type {
  CloseEvent,
  DamageEvent,
  EntryHead,
  InspectEvent,
  LeafEvent,
  LeafValue,
  MarkEvent,
  OpenEvent,
  OpenForm,
} from "./events.ts";
export { hexLines } from "./hex.ts";
export { streamJson, valuesJson } from "./json.ts";
export { isOnPath, parsePath, type StreamPath, selected } from "./select.ts";
export { type IndexOptions, indexStream, type StreamIndex } from "./stream-index.ts";
export { streamLine, type TreeOptions, treeHeading, treeLines } from "./text.ts";
export { headOf, instanceSegment, type ValueReader, valueReader, walkStream } from "./walk-stream.ts";
