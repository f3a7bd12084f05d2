export {
  AF,
  bindSocket,
  closeDescriptor,
  createSocket,
  duplicate,
  IPPROTO_IPV6,
  listenSocket,
  MAX_DESCRIPTORS,
  MAX_MESSAGE_BYTES,
  POLL,
  peerUserId,
  poll,
  type ReceivedMessage,
  receiveMessage,
  SO,
  SOL_SOCKET,
  sendMessage,
  setCloseOnExec,
  setSocketOption,
  socketAddress,
  socketPair,
  streamPair,
} from "./ffi/libc.ts";
export type { MemoryState, Verdict } from "./layout.ts";
export { PhysicalMemory } from "./physical-memory.ts";
export type { Superblock } from "./superblock.ts";
export { VerdictTable } from "./verdict.ts";
