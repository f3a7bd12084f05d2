import { EventEmitter } from "node:events";
import { inspect, types } from "node:util";

/** What an emitter of `node:events` has. */
interface Emitter {
  emit(event: string | symbol, ...args: unknown[]): boolean;
  rawListeners(event: string | symbol): readonly ((...args: unknown[]) => unknown)[];
}

/** What a WebSocket of ws has of a browser's. */
interface Target {
  addEventListener?(type: string, handler: unknown, ...rest: unknown[]): void;
  removeEventListener?(type: string, handler: unknown, ...rest: unknown[]): void;
}

/** So many settled promises may be remembered before they are looked for. */
const LEAST = 256;

/**
 * The work that listeners of connections go on with after they have returned: their promises that are not settled. They are
 * looked at and never subscribed to, as a promise that somebody has subscribed to counts as handled, and a rejection
 * that nobody catches would not be told any more.
 */
export class ListenerWork<C extends object> {
  readonly #connections = new Map<Promise<unknown>, C>();
  #most = LEAST;

  /** Counts what the connection's listeners return from now on. `off()`, `once()` and `listeners()` are as before. */
  watch(connection: C): void {
    const add = (result: unknown): void => this.#add(result, connection);
    watchEmit(connection as unknown as Emitter, add);
    watchHandlers(connection as Target, add);
  }

  /** Connections of which a listener is not done. */
  pending(): Set<C> {
    this.#forgetSettled();
    return new Set(this.#connections.values());
  }

  /** How many promises there are, settled ones too. */
  get remembered(): number {
    return this.#connections.size;
  }

  #add(result: unknown, connection: C): void {
    if (!types.isPromise(result)) return;
    this.#connections.set(result, connection);
    if (this.#connections.size < this.#most) return;
    this.#forgetSettled();
    this.#most = Math.max(LEAST, 2 * this.#connections.size);
  }

  #forgetSettled(): void {
    for (const promise of this.#connections.keys())
      if (!isPending(promise)) this.#connections.delete(promise);
  }
}

/** Node tells the state of a promise to nobody but its inspector; a value that is a text stands there in quotes. */
function isPending(promise: Promise<unknown>): boolean {
  const shown = inspect(promise, {
    depth: 0,
    customInspect: false,
    maxArrayLength: 0,
    maxStringLength: 0,
    breakLength: Number.POSITIVE_INFINITY,
  });
  return /^[^{]*\{\s*<pending>(?:,|\s*\})/.test(shown);
}

/**
 * Node's own way of calling listeners, with their results. Where somebody has put his own in its place, or asks Node to catch
 * what listeners reject, it is left alone.
 */
function watchEmit(emitter: Emitter, add: (result: unknown) => void): void {
  const { emit } = emitter;
  if (emit !== (EventEmitter.prototype.emit as Emitter["emit"]) || EventEmitter.captureRejections) return;
  emitter.emit = function (this: Emitter, event, ...args): boolean {
    const listeners = this.rawListeners(event);
    if (listeners.length === 0) return emit.call(this, event, ...args);
    for (const listener of listeners) add(Reflect.apply(listener, this, args));
    return true;
  };
}

/** ws calls handlers of `addEventListener` and `onmessage` in listeners that return nothing. */
function watchHandlers(target: Target, add: (result: unknown) => void): void {
  const { addEventListener, removeEventListener } = target;
  if (addEventListener === undefined || removeEventListener === undefined) return;
  const counted = new WeakMap<object, unknown>();
  const countedOf = (handler: unknown): unknown => {
    if (typeof handler !== "function") return handler; // an object with handleEvent
    const known = counted.get(handler);
    if (known !== undefined) return known;
    const wrapped = function (this: unknown, ...args: unknown[]): void {
      add(Reflect.apply(handler, this, args));
    };
    counted.set(handler, wrapped);
    return wrapped;
  };
  target.addEventListener = function (type, handler, ...rest) {
    Reflect.apply(addEventListener, this, [type, countedOf(handler), ...rest]);
  };
  target.removeEventListener = function (type, handler, ...rest) {
    Reflect.apply(removeEventListener, this, [type, countedOf(handler), ...rest]);
  };
}
