import { once } from "node:events";
import { WebSocket } from "ws";
import { Sequence } from "./sequence.ts";

interface Place {
  readonly x: number;
  readonly y: number;
}

interface ServerMessage extends Partial<Place> {
  /** The server's number of the message. */
  readonly n: number;
  /** The number of ours that it answers. */
  readonly to?: number;
  readonly received?: number;
  readonly pid?: number;
  readonly coin?: Place;
}

const STEP = 8;

/** One client of the arena: it numbers what it sends, and checks the numbers of what comes. */
export class Player {
  readonly #webSocket: WebSocket;
  readonly #answers = new Sequence();
  readonly #messages = new Sequence();
  #sent = 0;
  #received = 0;
  /** How far the server's count of our messages is from ours, and how often that has changed. */
  #offset = 0;
  #miscounted = 0;
  #closing = false;
  #step = { dx: 0, dy: 0 };
  closed = false;
  /** Called with each answer. */
  onAnswer: (message: ServerMessage) => void = () => {};

  constructor(address: string, room: string, name: string, problem: (text: string) => void) {
    this.#webSocket = new WebSocket(`ws://${address}/play?room=${room}&name=${name}`);
    this.#webSocket.on("message", (data) => this.#receive(JSON.parse(String(data)) as ServerMessage));
    this.#webSocket.on("error", (error) => problem(`${name}: ${error.message}`));
    this.#webSocket.on("close", (code) => {
      this.closed = true;
      if (!this.#closing) problem(`${name}: the connection was closed, code ${code}`);
    });
  }

  async opened(): Promise<void> {
    if (this.#webSocket.readyState === WebSocket.CONNECTING) await once(this.#webSocket, "open");
  }

  send(message: object): void {
    this.#sent += 1;
    this.#webSocket.send(JSON.stringify({ n: this.#sent, ...message }));
  }

  /** Sends a message in two frames, with time for an update between them. */
  sendInParts(message: object, pauseMs: number): void {
    this.#sent += 1;
    const text = JSON.stringify({ n: this.#sent, ...message });
    this.#webSocket.send(text.slice(0, 9), { fin: false });
    setTimeout(() => this.#webSocket.send(text.slice(9), { fin: true }), pauseMs);
  }

  /** A move towards the coin, as far as we know where it is. */
  get step(): object {
    return { type: "move", ...this.#step };
  }

  #receive(message: ServerMessage): void {
    this.#received += 1;
    this.#messages.add(message.n);
    if (message.to === undefined) return;
    this.#answers.add(message.to);
    const offset = message.to - (message.received ?? 0);
    if (offset !== this.#offset) this.#miscounted += 1;
    this.#offset = offset;
    if (message.coin !== undefined) this.#step = stepTo(message.coin, message as Place);
    this.onAnswer(message);
  }

  /** Whether everything that was sent has been answered. */
  get settled(): boolean {
    return this.#answers.last === this.#sent && this.#answers.lost() === 0;
  }

  get counts() {
    return {
      sent: this.#sent,
      received: this.#received,
      lost: this.#answers.lost() + this.#messages.lost(),
      unanswered: this.#sent - this.#answers.last,
      doubled: this.#answers.doubled + this.#messages.doubled,
      // An answer whose count has moved away from its number: the server has seen other messages than we sent.
      reordered: this.#answers.reordered + this.#messages.reordered + this.#miscounted,
    };
  }

  close(): void {
    this.#closing = true;
    this.#webSocket.terminate();
  }
}

function stepTo(coin: Place, { x, y }: Place): { dx: number; dy: number } {
  const bounded = (way: number): number => Math.max(-STEP, Math.min(STEP, way));
  return { dx: bounded(coin.x - x), dy: bounded(coin.y - y) };
}
