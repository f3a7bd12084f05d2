import type { Socket } from "node:net";

/** What is used of the parser that Node puts on the socket of an HTTP connection. */
interface Parser {
  /** How long the message that is being read has taken, ms: 0 between two messages. */
  duration?(): number;
  execute?(bytes: Uint8Array): unknown;
  /** What it has just read; only while it tells of that. */
  getCurrentBuffer?(): Buffer;
  [callback: number]: ((...args: unknown[]) => unknown) | undefined;
}

/**
 * The bytes of one connection that Node's parser has taken of a request whose head is not whole. The parser keeps them to
 * itself, so they are kept here, from read to read, for only as long as nothing but a head's beginning has come.
 */
export class RequestHead {
  readonly #socket: Socket;
  #parts: Uint8Array[];
  /** A head came whole since the last read. */
  #cameWhole = false;
  /** The parser was between two messages, or in the head that `#parts` has, when the last read had been parsed. */
  #isKnown: boolean;
  /** The socket's count of bytes up to which is known what has been read. */
  #readBytes: number;

  /** From now on; `taken` is what another program had read. */
  constructor(socket: Socket, taken: Uint8Array) {
    this.#socket = socket;
    this.#parts = taken.length === 0 ? [] : [taken];
    this.#readBytes = socket.bytesRead;
    this.#isKnown = socket.bytesRead === 0 && this.#watch();
  }

  /** Whether it tells of what is read. Called by Node after each read, as it would be anyway. */
  #watch(): boolean {
    const parser = parserOf(this.#socket);
    const key =
      parser === null
        ? undefined
        : Object.keys(parser).find((name) => isNamed(parser, name, /^bound onParserExecute$/));
    if (parser === null || key === undefined || !parser.duration || !parser.getCurrentBuffer) return false;
    const told = parser[Number(key)]!;
    parser[Number(key)] = (...args) => {
      const result = told(...args);
      if (parserOf(this.#socket) === parser) this.#read(parser);
      return result;
    };
    return true;
  }

  #read(parser: Parser): void {
    const isResting = parser.duration!() === 0;
    if (isResting) {
      if (this.#parts.length > 0) this.#parts = [];
      this.#isKnown = true;
    } else if (this.#cameWhole || !this.#isKnown) {
      this.#isKnown = false; // a body, or the head of a request that was sent ahead
    } else {
      this.#parts.push(parser.getCurrentBuffer!());
    }
    this.#cameWhole = false;
    this.#readBytes = this.#socket.bytesRead;
  }

  /** The request's head has come whole. */
  end(): void {
    this.#cameWhole = true;
    if (this.#parts.length > 0) this.#parts = [];
  }

  /** What has been read of a head; undefined when it is not known, or something else is being read. */
  get bytes(): Uint8Array | undefined {
    if (!this.#isKnown || this.#readBytes !== this.#socket.bytesRead || this.#parts.length === 0)
      return undefined;
    return this.#parts.length === 1 ? this.#parts[0] : Buffer.concat(this.#parts);
  }
}

/** Whether the parser of a connection is between two messages; undefined when it cannot tell. */
export function isBetweenMessages(socket: Socket): boolean | undefined {
  const took = parserOf(socket)?.duration?.();
  return took === undefined ? undefined : took === 0;
}

const SHORTEST_REQUEST = Buffer.from("GET / HTTP/1.1\r\n\r\n");

/**
 * Brings a new parser to where the one of the previous program was, between two requests, by a request that nobody hears
 * of. A new one is in the middle of a request by Node's account: `headersTimeout` would answer the silence with 408.
 */
export function restParser(socket: Socket): void {
  const parser = parserOf(socket);
  if (parser?.execute === undefined || parser.duration?.() === 0) return;
  const told = Object.keys(parser).filter((key) => isNamed(parser, key, /^parserOn/));
  const callbacks = told.map((key) => parser[Number(key)]);
  for (const key of told) parser[Number(key)] = () => 0;
  parser.execute(SHORTEST_REQUEST);
  for (const [index, key] of told.entries()) parser[Number(key)] = callbacks[index];
}

function parserOf(socket: Socket): Parser | null {
  return (socket as Socket & { readonly parser?: Parser | null }).parser ?? null;
}

/** Node keeps the parser's callbacks under numbers that it does not tell. */
function isNamed(parser: Parser, key: string, name: RegExp): boolean {
  return /^\d+$/.test(key) && name.test(parser[Number(key)]?.name ?? "");
}
