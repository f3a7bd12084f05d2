/**
 * The members of `ws` that moving a WebSocket needs, all in one place: it has no public way. The shape is
 * guarded by `assertMovable` when a server is handed in, and by the tests for the version in the lock file.
 */
import type { Socket } from "node:net";
import { KstateError } from "../../error/index.ts";
import { unheardWebSocket } from "../unheard.ts";
import type { WebSocketRecord } from "./records.ts";
import { dismiss, unsentBytes } from "./stream-socket.ts";
import {
  compressionClass,
  describeCompression,
  reviveCompression,
  watchCompression,
} from "./web-socket-compression.ts";

/** Receiver states of `ws`: what it waits for next. */
const RECEIVER = { info: 0, length16: 1, length64: 2, mask: 3, data: 4 } as const;
const CLOSING = 2;
const OPCODE_CONTINUATION = 0;
const OPCODE_CONTROL = 8;
const OPCODE_CLOSE = 8;
/** IANA's WebSocket close codes: the service restarts, a client may come again. */
const SERVICE_RESTART = 1012;
/** Of the first frame of a message: it is compressed. */
const RSV1 = 0x40;

interface Receiver {
  readonly _state: number;
  readonly _fin: boolean;
  readonly _opcode: number;
  readonly _masked: boolean;
  readonly _mask: Uint8Array | undefined;
  readonly _payloadLength: number;
  readonly _totalPayloadLength: number;
  readonly _compressed: boolean;
  readonly _fragmented: number;
  readonly _fragments: readonly Uint8Array[];
  readonly _buffers: readonly Uint8Array[];
  readonly _writableState: { readonly errorEmitted: boolean };
  readonly writableLength: number;
}

interface WebSocketInternals {
  readonly readyState: number;
  readonly isPaused: boolean;
  readonly protocol: string;
  readonly _socket: Socket | null;
  readonly _receiver: Receiver;
  readonly _sender: { readonly _queue: readonly unknown[]; readonly _state: number };
  _extensions: Readonly<Record<string, unknown>>;
  readonly _closeTimeout: number | undefined;
  _readyState: number;
  _closeFrameSent: boolean;
  _closeFrameReceived: boolean;
  _closeCode: number;
  _closeMessage: Buffer;
  _closeTimer: unknown;
  _protocol: string;
  setSocket(socket: Socket, head: Uint8Array, options: object): void;
  pause(): void;
  on(event: string, listener: () => void): void;
}

interface WebSocketServerInternals {
  readonly options: {
    readonly WebSocket: new (address: null, protocols: undefined, options: object) => WebSocketInternals;
    readonly perMessageDeflate?: unknown;
    readonly allowSynchronousEvents?: boolean;
    readonly maxPayload?: number;
    readonly skipUTF8Validation?: boolean;
  };
  readonly clients: Set<unknown> | undefined;
}

function internals(webSocket: object): WebSocketInternals {
  return webSocket as WebSocketInternals;
}

/** Throws `WEBSOCKETS_UNSUPPORTED` when the WebSockets of a server could not move to another program. */
export function assertMovable(server: object): void {
  const { options, clients } = server as WebSocketServerInternals;
  if (typeof options?.WebSocket?.prototype?.setSocket !== "function") {
    throw unsupported(
      "this is not a WebSocketServer of ws 8.19 or newer; pass the one that `new WebSocketServer()` made",
    );
  }
  if (options.perMessageDeflate && compressionClass(server) === undefined) {
    throw unsupported(
      "connections with perMessageDeflate move with ws 8.19 or newer; leave it false, which is the default of ws",
    );
  }
  if (clients === undefined)
    throw unsupported("the server was made with clientTracking: false; leave it true");
}

function unsupported(reason: string): KstateError {
  return new KstateError(
    "WEBSOCKETS_UNSUPPORTED",
    `cannot move the connections of this WebSocket server: ${reason}`,
    { reason },
  );
}

/** Keeps what moving the WebSocket's compression needs, from now on. */
export function watchExtensions(webSocket: object): void {
  watchCompression(internals(webSocket)._extensions);
}

/** The connection under a WebSocket. */
export function socketOf(webSocket: object): Socket | null {
  return internals(webSocket)._socket;
}

/** Whether the program has paused a WebSocket. */
export function isPaused(webSocket: object): boolean {
  return internals(webSocket).isPaused;
}

/** Whether a WebSocket is between two steps of its own, in which part of a message is nowhere to be seen. */
export function isInMotion(webSocket: object): boolean {
  const { _socket: socket, _receiver: receiver, _sender: sender } = internals(webSocket);
  if (socket === null || socket.destroyed) return true;
  const failed = receiver._writableState.errorEmitted;
  const receiving = !failed && (receiver._state > RECEIVER.data || receiver.writableLength > 0);
  return receiving || isInflatingFragments(receiver) || sender._queue.length > 0 || sender._state !== 0;
}

/** Whether one that is {@link isInMotion} waits for the rest of a message that its client sends. */
export function waitsForClient(webSocket: object): boolean {
  const { _socket: socket, _receiver: receiver } = internals(webSocket);
  if (socket === null || socket.destroyed) return false;
  return receiver._state <= RECEIVER.data && receiver.writableLength === 0 && isInflatingFragments(receiver);
}

/** Whether fragments of a compressed message have been inflated: what the inflater knows then cannot be carried. */
function isInflatingFragments(receiver: Receiver): boolean {
  const { _state: state, _fragmented: fragmented, _compressed: compressed } = receiver;
  if (fragmented === 0 || !compressed) return false;
  const ofThisFrame =
    state >= RECEIVER.mask && receiver._opcode < OPCODE_CONTROL ? receiver._payloadLength : 0;
  return receiver._totalPayloadLength > ofThisFrame;
}

/** Describes a WebSocket that is not {@link isInMotion}. `unread` are bytes that no receiver has seen yet. */
export function describe(webSocket: object, listener: string, unread: Uint8Array): WebSocketRecord {
  const ws = internals(webSocket);
  const closing = closingOf(ws);
  return {
    listener,
    protocol: ws.protocol,
    paused: ws.isPaused,
    closing,
    closeCode: ws._closeCode,
    closeReason: ws._closeMessage.toString(),
    compression: describeCompression(ws._extensions),
    unread: closing === 2 ? new Uint8Array(0) : unreadFrames(ws._receiver, unread),
    unsent: unsentBytes(ws._socket!),
  };
}

/**
 * Closes a WebSocket that is not {@link isInMotion} for its client, with 1012, unless it is closing already. The program
 * hears no more of it, and what it still sends is dropped.
 */
export function dismissWebSocket(webSocket: object): Socket {
  const ws = internals(webSocket);
  const socket = ws._socket!;
  const isClosing = ws.readyState === CLOSING;
  ws._readyState = CLOSING;
  dismiss(socket, isClosing ? undefined : closeFrame(SERVICE_RESTART, "service restart"));
  return socket;
}

function closeFrame(code: number, reason: string): Uint8Array {
  const text = Buffer.from(reason);
  const payload = Buffer.concat([Uint8Array.of(code >> 8, code & 0xff), text]);
  return Buffer.concat([frameHeader(true, OPCODE_CLOSE, payload.length, false), payload]);
}

function unreadFrames(receiver: Receiver, unread: Uint8Array): Uint8Array {
  const { _state: state, _fragmented: fragmented, _buffers: buffers } = receiver;
  if (state === RECEIVER.info && fragmented === 0 && buffers.length === 0) return unread;
  return Buffer.concat([...receivedFrames(receiver), unread]);
}

function closingOf(ws: WebSocketInternals): number {
  if (ws.readyState !== CLOSING) return 0;
  return ws._closeFrameReceived || ws._receiver._writableState.errorEmitted ? 2 : 1;
}

/** The frames that a receiver holds part of, as bytes that bring another one to the same point. */
function receivedFrames(receiver: Receiver): Uint8Array[] {
  const {
    _state: state,
    _opcode: opcode,
    _fin: fin,
    _fragmented: fragmented,
    _fragments: fragments,
  } = receiver;
  const inFrame = state !== RECEIVER.info;
  const isData = opcode < OPCODE_CONTROL;
  // A frame of a fragmented message is its first one if nothing of the message is there yet and more will come.
  const isFirst = inFrame && isData && fragments.length === 0 && !fin;
  const parts: Uint8Array[] = [];
  if (fragmented !== 0 && !isFirst) {
    const payload = Buffer.concat(fragments);
    parts.push(frameHeader(false, fragmented, payload.length, true), new Uint8Array(4), payload);
  }
  if (inFrame) {
    const continues = isData && fragmented !== 0 && !isFirst;
    const header = frameHeader(
      fin,
      continues ? OPCODE_CONTINUATION : opcode,
      receiver._payloadLength,
      receiver._masked,
    );
    if (receiver._compressed && isData && !continues) header[0]! |= RSV1;
    // An extended length that has not arrived: what stands for it is 126 or 127, in the header's second byte.
    if (state === RECEIVER.length16 || state === RECEIVER.length64) {
      parts.push(Uint8Array.of(header[0]!, (receiver._masked ? 0x80 : 0) | receiver._payloadLength));
    } else {
      parts.push(header);
    }
    if (state === RECEIVER.data && receiver._mask !== undefined) parts.push(receiver._mask);
  }
  return [...parts, ...receiver._buffers];
}

/** A frame's header without its mask. */
function frameHeader(fin: boolean, opcode: number, length: number, masked: boolean): Buffer {
  const long = length > 0xffff;
  const header = Buffer.alloc(length < 126 ? 2 : long ? 10 : 4);
  header[0] = (fin ? 0x80 : 0) | opcode;
  header[1] = (masked ? 0x80 : 0) | (length < 126 ? length : long ? 127 : 126);
  if (long) header.writeBigUInt64BE(BigInt(length), 2);
  else if (length >= 126) header.writeUInt16BE(length, 2);
  return header;
}

/** Makes a WebSocket of a server around a paused connection. Nothing is read before the connection is resumed. */
export function revive(server: object, socket: Socket, record: WebSocketRecord): object {
  const { options, clients } = server as WebSocketServerInternals;
  const ws = wrap(server, options.WebSocket, socket, record);
  clients?.add(ws);
  ws.on("close", () => clients?.delete(ws));
  if (record.paused) ws.pause();
  return ws;
}

/** Does the same with a WebSocket that is none of the server's, and of which nobody hears. */
export function reviveUnheard(server: object, socket: Socket, record: WebSocketRecord): object {
  const { WebSocket } = (server as WebSocketServerInternals).options;
  return wrap(server, unheardWebSocket(WebSocket) as typeof WebSocket, socket, record);
}

function wrap(
  server: object,
  WebSocket: WebSocketServerInternals["options"]["WebSocket"],
  socket: Socket,
  record: WebSocketRecord,
): WebSocketInternals {
  const { options } = server as WebSocketServerInternals;
  const ws = new WebSocket(null, undefined, options);
  ws._protocol = record.protocol;
  if (record.compression !== null) {
    ws._extensions = reviveCompression(compressionClass(server)!, options, record.compression);
  }
  ws.setSocket(socket, Buffer.from(record.unread), {
    allowSynchronousEvents: options.allowSynchronousEvents,
    maxPayload: options.maxPayload,
    skipUTF8Validation: options.skipUTF8Validation,
  });
  return ws;
}

/** Sends what the last program had not sent, and goes on with a closing handshake that was under way. */
export function continueSending(webSocket: object, record: WebSocketRecord): void {
  const ws = internals(webSocket);
  const socket = ws._socket!;
  if (record.unsent.length > 0) socket.write(record.unsent);
  if (record.closing === 0) return;
  ws._readyState = CLOSING;
  ws._closeFrameSent = true;
  ws._closeCode = record.closeCode;
  ws._closeMessage = Buffer.from(record.closeReason);
  ws._closeTimer = setTimeout(() => socket.destroy(), ws._closeTimeout ?? 30_000);
  if (record.closing === 2) {
    ws._closeFrameReceived = true;
    socket.end();
  }
}
