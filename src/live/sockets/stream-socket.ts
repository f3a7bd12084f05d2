/** The few members of Node's own socket objects that moving a connection needs, all in one place. */
import { type Server, Socket } from "node:net";

/** Most connections have nothing to carry, and there may be many of them. */
const NOTHING = new Uint8Array(0);

interface Handle {
  readonly fd: number;
  readonly writeQueueSize: number;
  readStart(): number;
  readStop(): number;
  close(): void;
}

interface Chunk {
  readonly chunk: string | Uint8Array;
  readonly encoding: BufferEncoding;
}

/** A list with its own iterator on Node 20, an array that is used from an index on later. */
interface ReadableState {
  readonly buffer: Iterable<string | Uint8Array>;
  readonly bufferIndex?: number;
  readonly encoding: BufferEncoding | null;
  readonly decoder: Decoder | null;
}

/** Bytes of a character that has not arrived whole. */
interface Decoder {
  readonly lastChar: Uint8Array;
  readonly lastNeed: number;
  readonly lastTotal: number;
}

interface SocketInternals {
  readonly _handle: Handle | null;
  readonly _writableState: { getBuffer(): Chunk[] };
  readonly _readableState: ReadableState;
  _writeGeneric: (
    writev: boolean,
    data: unknown,
    encoding: BufferEncoding,
    callback: (error?: Error | null) => void,
  ) => void;
}

function internals(socket: Socket): SocketInternals {
  return socket as unknown as SocketInternals;
}

/** The descriptor of an open socket, -1 when it is closed. */
export function descriptorOf(socket: Socket): number {
  return internals(socket)._handle?.fd ?? -1;
}

/** Stops taking bytes from the kernel; unread ones stay there for whoever holds the connection next. */
export function stopReading(socket: Socket): void {
  internals(socket)._handle?.readStop();
}

/** Undoes {@link stopReading}; a socket that the program itself has paused stays paused. */
export function startReading(socket: Socket): void {
  if (!socket.isPaused()) internals(socket)._handle?.readStart();
}

/** Lets listeners that are put on an adopted socket set it flowing, and pause it, as those on one that was just accepted. */
export function allowFlow(socket: Socket): void {
  (socket as { readableFlowing: boolean | null }).readableFlowing = null;
}

/**
 * Begins to read a socket of {@link allowFlow}, as Node does when it accepts one: what comes before anybody listens waits
 * in its buffer. One that has been paused since stays paused.
 */
export function beginReading(socket: Socket): void {
  if (!socket.isPaused()) socket.read(0);
}

/** What of Node's has an idle time-out: sockets, and sessions and streams of HTTP/2. */
interface Timed {
  readonly timeout?: number | undefined;
  setTimeout(timeoutMs: number): unknown;
}

/** The time-outs of connections that are held back, ms. */
const heldTimeouts = new WeakMap<Timed, number>();

/** A connection's idle time-out, ms, 0 for none; also while it is held back. */
export function timeoutOf(connection: Timed): number {
  return connection.timeout || heldTimeouts.get(connection) || 0;
}

/** Stops reading a connection, and its time-out with it: that a client is not heard is not the client's silence. */
export function holdBack(socket: Socket): void {
  stopReading(socket);
  suspendTimeout(socket);
}

/** Takes an idle time-out away until {@link renewTimeout}. */
export function suspendTimeout(connection: Timed): void {
  const timeoutMs = timeoutOf(connection);
  if (timeoutMs === 0) return;
  connection.setTimeout(0);
  heldTimeouts.set(connection, timeoutMs);
}

/** Starts an idle time-out again: timers run before I/O, and one that passed during a freeze would close. */
export function renewTimeout(connection: Timed): void {
  const timeoutMs = timeoutOf(connection);
  heldTimeouts.delete(connection);
  if (timeoutMs > 0) connection.setTimeout(timeoutMs);
}

/** Closes the descriptor without a word to the other side: another process holds the connection. */
export function leave(socket: Socket): void {
  internals(socket)._handle?.close();
}

/** Keeps code that still knows a connection which was {@link leave | left} from noticing: writes go nowhere. */
export function silence(socket: Socket): void {
  internals(socket)._writeGeneric = () => {};
  socket.setTimeout(0);
}

/**
 * Ends a connection after what has been sent and some last bytes. What the other side still says is read, or the end would
 * be a reset, and dropped: nobody listens any more.
 */
export function dismiss(socket: Socket, last: Uint8Array = NOTHING): void {
  for (const event of ["data", "readable", "end", "close", "timeout", "drain", "error"])
    socket.removeAllListeners(event);
  socket.on("error", () => {}); // the close that follows is all there is to know
  socket.setTimeout(0);
  if (!socket.writableEnded) socket.end(last);
  socket.resume();
  startReading(socket);
}

/** Closes a server's listening descriptor; connections and `close` listeners are left alone. */
export function stopAccepting(server: Server): void {
  (server as unknown as { _handle: Handle | null })._handle?.close();
}

/** A paused socket around a descriptor that came from another process. */
export function adopt(descriptor: number): Socket {
  const options = {
    fd: descriptor,
    readable: true,
    writable: true,
    allowHalfOpen: true,
    pauseOnCreate: true,
  };
  return new Socket(options);
}

/**
 * What was received and no listener has seen: a paused socket takes bytes until its buffer is full. They are left
 * where they are, for `read()` would show them to `data` listeners.
 */
export function unreadBytes(socket: Socket): Uint8Array {
  if (socket.readableLength === 0 && socket.readableEncoding === null) return NOTHING;
  const { buffer, bufferIndex = 0, encoding, decoder } = internals(socket)._readableState;
  const chunks = [...buffer].slice(bufferIndex).map((chunk) => {
    return typeof chunk === "string" ? Buffer.from(chunk, encoding ?? "utf8") : chunk;
  });
  const started =
    decoder === null ? [] : [decoder.lastChar.subarray(0, decoder.lastTotal - decoder.lastNeed)];
  return Buffer.concat([...chunks, ...started]);
}

/** The write that the kernel has not taken whole, by socket: libuv does not give it back. */
const writesUnderWay = new WeakMap<Socket, Buffer>();

/** Remembers each write under way, from now on, so that {@link unsentBytes} can tell its rest. */
export function watchWrites(socket: Socket): void {
  const target = internals(socket);
  const original = target._writeGeneric;
  target._writeGeneric = (writev, data, encoding, callback) => {
    let done = false;
    original.call(socket, writev, data, encoding, (error) => {
      done = true;
      writesUnderWay.delete(socket);
      callback(error);
    });
    if (done || (target._handle?.writeQueueSize ?? 0) === 0) return;
    // Node's writev may have put the bare buffers in place of the list's members.
    const chunks = writev
      ? (data as (Chunk | Uint8Array)[]).map((each) => ("chunk" in each ? each : { chunk: each, encoding }))
      : [{ chunk: data as string | Uint8Array, encoding }];
    writesUnderWay.set(socket, concatenate(chunks));
  };
}

/** What was written to a watched socket and has not reached the kernel. */
export function unsentBytes(socket: Socket): Uint8Array {
  if (isDrained(socket)) return NOTHING;
  const { _handle: handle, _writableState: state } = internals(socket);
  const underWay = writesUnderWay.get(socket) ?? Buffer.alloc(0);
  const rest = underWay.subarray(underWay.length - Math.min(handle?.writeQueueSize ?? 0, underWay.length));
  return Buffer.concat([rest, concatenate(state.getBuffer())]);
}

/** Whether everything written to a socket has reached the kernel. */
export function isDrained(socket: Socket): boolean {
  return socket.writableLength === 0 && (internals(socket)._handle?.writeQueueSize ?? 0) === 0;
}

function concatenate(chunks: readonly Chunk[]): Buffer {
  return Buffer.concat(
    chunks.map(({ chunk, encoding }) => (typeof chunk === "string" ? Buffer.from(chunk, encoding) : chunk)),
  );
}
