export type { Access, BackEnd, Mapping } from "./back-end.ts";
export {
  type ArrayOptions,
  assertOpenable,
  type CollectionRecord,
  type Column,
  dropCollection,
  dropCollections,
  FolioArray,
  FolioMap,
  type MapOptions,
  type NumberColumn,
  openArray,
  openMap,
} from "./collections/index.ts";
export { type DaxOptions, openDax } from "./dax-back-end.ts";
export {
  AF,
  bindSocket,
  closeDescriptor,
  connectSocket,
  createSocket,
  duplicate,
  IPPROTO_IPV6,
  LUO,
  listenSocket,
  loadKernel,
  lockFile,
  luoRequest,
  luoRequestName,
  MAX_DESCRIPTORS,
  MAX_MESSAGE_BYTES,
  openProcess,
  POLL,
  peerCredentials,
  peerUserId,
  poll,
  type ReceivedMessage,
  reapProcess,
  rebootInto,
  receiveMessage,
  SO,
  SOL_SOCKET,
  sendBytes,
  sendMessage,
  setCloseOnExec,
  setSocketOption,
  signalProcess,
  socketAddress,
  socketPair,
  streamPair,
  unloadKernel,
} from "./ffi/libc.ts";
export { isUnixBound, listenUnix, unixAddress } from "./ffi/unix-sockets.ts";
export { createMemfd, openDescriptor, openFile } from "./file-back-end.ts";
export { Folio } from "./folio.ts";
export { createHeap } from "./heap-back-end.ts";
export { CHECKPOINT, HANDOVER, type MemoryState, PAGE_SIZE, REHEARSAL, type Verdict } from "./layout.ts";
export { type Limit, tightestLimit } from "./memory-limit.ts";
export type { RoomRequest } from "./owned-memory.ts";
export { PhysicalMemory } from "./physical-memory.ts";
export type { Superblock } from "./superblock.ts";
export type { FolioRecord, StreamRecord, Table } from "./table.ts";
export { VerdictTable } from "./verdict.ts";
