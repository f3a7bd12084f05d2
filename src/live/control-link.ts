import { createServer, type Server, type Socket } from "node:net";
import { peerUserId } from "../memory/index.ts";
import { formatMessage, LineSplitter, parseMessage, type ToProgram, type ToSupervisor } from "./protocol.ts";
import { descriptorOf } from "./sockets/stream-socket.ts";

/**
 * The program's control socket: inherited listening, dialled by the supervisor. Messages sent before it has
 * dialled wait. When the supervisor goes away the program serves on and can be dialled again.
 */
export class ControlLink {
  readonly #server: Server;
  #socket: Socket | undefined;
  #waiting: ToSupervisor[] = [];
  #held = false;

  constructor(descriptor: number, onMessage: (message: ToProgram) => void) {
    this.#server = createServer((socket) => this.#accept(socket, onMessage));
    this.#server.listen({ fd: descriptor });
    this.#server.unref();
  }

  send(message: ToSupervisor): void {
    if (this.#socket === undefined) this.#waiting.push(message);
    else this.#socket.write(formatMessage(message));
  }

  /** Keeps the program alive while it waits for the supervisor's word, or lets it end by itself. */
  hold(held: boolean): void {
    if (held) this.#server.ref();
    else this.#server.unref();
    if (held) this.#socket?.ref();
    else this.#socket?.unref();
    this.#held = held;
  }

  /** Whoever does not speak the protocol is hung up on; the program serves on. */
  #read(socket: Socket, lines: LineSplitter, text: string): ToProgram[] {
    try {
      return lines.push(text).map((line) => parseMessage(line) as ToProgram);
    } catch {
      socket.destroy();
      return [];
    }
  }

  #accept(socket: Socket, onMessage: (message: ToProgram) => void): void {
    if (this.#socket !== undefined || peerUserId(descriptorOf(socket)) !== process.getuid?.()) {
      socket.destroy(); // one supervisor at a time, and none of another user's
      return;
    }
    this.#socket = socket;
    const lines = new LineSplitter();
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => {
      for (const message of this.#read(socket, lines, text)) onMessage(message);
    });
    socket.on("error", () => {}); // the supervisor has gone: the close that follows is all there is to know
    socket.on("close", () => {
      if (this.#socket === socket) this.#socket = undefined;
    });
    if (!this.#held) socket.unref();
    for (const message of this.#waiting.splice(0)) this.send(message);
  }
}
