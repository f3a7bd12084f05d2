import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { TestContext } from "node:test";

/** A TCP connection whose bytes are taken as they come, until the test ends. */
export class RawStream {
  readonly socket: Socket;
  text = "";
  ended = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding("utf8").setMaxListeners(0); // each wait leaves some, and they go with the socket
    socket.on("data", (text: string) => {
      this.text += text;
    });
    socket.on("end", () => {
      this.ended = true;
    });
  }

  static async open(t: TestContext, port: number): Promise<RawStream> {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    t.after(() => socket.destroy());
    const stream = new RawStream(socket);
    await once(socket, "connect");
    return stream;
  }

  /** Waits until something has been received and forgets everything up to its end. Returns the match. */
  async take(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.text);
      if (match !== null) {
        this.text = this.text.slice(match.index + match[0].length);
        return match;
      }
      assert.ok(
        !this.ended && !this.socket.destroyed,
        `ended before ${pattern}: ${JSON.stringify(this.text.slice(-200))}`,
      );
      await this.#more();
    }
  }

  /** Waits for the other side's end. */
  async end(): Promise<void> {
    while (!this.ended && !this.socket.destroyed) await this.#more();
  }

  #more(): Promise<unknown> {
    return Promise.race(["data", "end", "close"].map((event) => once(this.socket, event)));
  }
}
