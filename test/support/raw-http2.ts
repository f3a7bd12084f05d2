import { connect, type Socket } from "node:net";

const TYPE = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goaway: 7 } as const;
const END_STREAM = 1;
const ACK = 1;
const END_HEADERS = 4;
/** GET, http and / from HPACK's static table, and the authority x. */
const GET_ROOT = Buffer.from([0x82, 0x86, 0x84, 0x01, 1, 0x78]);

/**
 * A client of HTTP/2 that sends a request the moment it is asked to, so that requests do cross a GOAWAY: the one of
 * `node:http2` gives up requests of its own that it has not sent yet.
 */
export class RawHttp2 {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, { resolve(): void; reject(error: Error): void }>();
  #bytes = Buffer.alloc(0);
  #nextStream = 1;
  /** The last stream of each GOAWAY that has come. */
  readonly goaways: number[] = [];

  constructor(port: number) {
    this.#socket = connect(port, "127.0.0.1");
    this.#socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    this.#send(TYPE.settings, 0, 0);
    this.#socket.on("data", (bytes) => this.#receive(bytes));
    this.#socket.on("error", () => {}); // its close says it
    this.#socket.on("close", () => this.#fail(() => true, "the connection ended"));
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Asks for `/`; rejects when the request is not answered. */
  ask(): Promise<void> {
    const stream = this.#nextStream;
    this.#nextStream += 2;
    return new Promise((resolve, reject) => {
      this.#waiting.set(stream, { resolve, reject });
      this.#send(TYPE.headers, END_STREAM | END_HEADERS, stream, GET_ROOT);
    });
  }

  #send(type: number, flags: number, stream: number, payload: Uint8Array = new Uint8Array(0)): void {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head.writeUInt8(type, 3);
    head.writeUInt8(flags, 4);
    head.writeUInt32BE(stream, 5);
    this.#socket.write(Buffer.concat([head, payload]));
  }

  #receive(bytes: Uint8Array): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    while (this.#bytes.length >= 9) {
      const end = 9 + this.#bytes.readUIntBE(0, 3);
      if (this.#bytes.length < end) return;
      const frame = this.#bytes.subarray(0, end);
      this.#bytes = this.#bytes.subarray(end);
      this.#frame(frame.readUInt8(3), frame.readUInt8(4), frame.readUInt32BE(5), frame.subarray(9));
    }
  }

  #frame(type: number, flags: number, stream: number, payload: Buffer): void {
    if (type === TYPE.settings && (flags & ACK) === 0) this.#send(TYPE.settings, ACK, 0);
    if (type === TYPE.ping && (flags & ACK) === 0) this.#send(TYPE.ping, ACK, 0, payload);
    if (type === TYPE.reset) this.#fail((id) => id === stream, `reset with ${payload.readUInt32BE(0)}`);
    if (type === TYPE.goaway) {
      const last = payload.readUInt32BE(0);
      this.goaways.push(last);
      this.#fail((id) => id > last, "refused by GOAWAY");
    }
    if ((type === TYPE.data || type === TYPE.headers) && (flags & END_STREAM) !== 0) {
      this.#waiting.get(stream)?.resolve();
      this.#waiting.delete(stream);
    }
  }

  #fail(which: (stream: number) => boolean, why: string): void {
    for (const [stream, { reject }] of this.#waiting) {
      if (!which(stream)) continue;
      this.#waiting.delete(stream);
      reject(new Error(`request ${stream}: ${why}, after GOAWAYs ${this.goaways.join()}`));
    }
  }
}
