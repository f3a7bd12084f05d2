export { Applier, type DueCall, type KeptCounts } from "./apply.ts";
export { ByteReader, plainBytes } from "./byte-reader.ts";
export { ByteWriter } from "./byte-writer.ts";
export { Claims } from "./claims.ts";
export { type CodecChoice, type CodecUse, newCodecUse } from "./codec-choice.ts";
export { generateCode } from "./compile.ts";
export { type CompiledModule, compiledModule } from "./compile-module.ts";
export { type CompiledCode, type CompiledUnit, useCompiledCode } from "./compiled-code.ts";
export { holdsText } from "./condition.ts";
export { type Crc32, crc32 } from "./crc32.ts";
export { Decoder, type DecoderOptions } from "./decode.ts";
export { Decoded } from "./decoded.ts";
export { Encoder, type OnEntry } from "./encode.ts";
export { type EntryHeader, readBody, type SectionHeaders, type StreamBody } from "./entries.ts";
export {
  depthLimit,
  endMark,
  entryHeaderSize,
  instanceKeyLimit,
  sectionType,
  streamMagic,
  subsectionType,
  trailerFixedSize,
} from "./format.ts";
export { NamedStreams, type StreamShelf } from "./named-streams.ts";
export { type NotPutBack, Snapshot } from "./snapshot.ts";
export type { Root } from "./split-identity.ts";
export {
  type EntryNote,
  type LockText,
  readTrailer,
  readTrailerAt,
  type Trailer,
  writeTrailer,
} from "./trailer.ts";
