import {
  closeDescriptor,
  duplicate,
  poll,
  type ReceivedMessage,
  receiveMessage,
  sendMessage,
  socketPair,
} from "../memory/index.ts";

/** Every effect of a program's side of an update on the operating system, so that a test can stand in for it. */
export interface LiveSystem {
  /** Monotonic clock, shared by all processes of the machine. */
  nowNs(): bigint;
  poll(descriptors: readonly { fd: number; events: number }[], timeoutMs: number): number[];
  send(fd: number, payload: Uint8Array, descriptors: readonly number[]): "sent" | "full" | "closed";
  receive(fd: number): ReceivedMessage | "empty" | "closed";
  /** A channel: two connected sockets that keep messages whole. */
  socketPair(): [number, number];
  duplicate(fd: number): number;
  close(fd: number): void;
  /** Ends the program: its state, memory and connections belong to the successor. */
  exit(exitCode: number): void;
}

export const liveSystem: LiveSystem = {
  nowNs: () => process.hrtime.bigint(),
  poll,
  send: sendMessage,
  receive: receiveMessage,
  socketPair,
  duplicate,
  close: closeDescriptor,
  exit: (exitCode) => process.exit(exitCode),
};
