export { descriptorSource } from "./byte-places.ts";
export type { Carrier, FindOptions, Stored, StoreOptions, StoreProgress, Waiting } from "./carrier.ts";
export { daxCarrier, type FileOptions, fileCarrier } from "./file-carrier.ts";
export { findSuspended, stateFile } from "./find-suspended.ts";
export type { ImageRecord } from "./format.ts";
export { bootId, Image, type ImageFacts } from "./image.ts";
export { type ByteSource, ImageReader } from "./image-reader.ts";
export {
  type KexecProblem,
  type KexecSystem,
  kexecProblems,
  kexecSystem,
  type NextKernel,
  nextKernel,
} from "./kexec.ts";
export { luoCarrier } from "./luo-carrier.ts";
export { LUO_DEVICE, type LuoSystem, luoSystem } from "./luo-system.ts";
export { type CarrierAddress, openCarrier, parseCarrier } from "./open-carrier.ts";
export { processCarrier } from "./process-carrier.ts";
export { readStream } from "./read-stream.ts";
export { inOneTurn, inTurns } from "./steps.ts";
