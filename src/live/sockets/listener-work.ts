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

/** What a listener of a connection goes on with. */
interface Work<C extends object> {
  readonly promise: WeakRef<Promise<unknown>>;
  readonly connection: WeakRef<C>;
}

/**
 * The work that listeners of connections go on with after they have returned: their promises that are not settled. They are
 * looked at and never subscribed to, as a promise that somebody has subscribed to counts as handled, and a rejection
 * that nobody catches would not be told any more. Nothing is kept alive: what only a client that has gone could end is
 * collected as ever, and forgotten.
 */
export class ListenerWork<C extends object> {
  readonly #work = new Set<Work<C>>();
  #most = LEAST;

  /** Counts what the connection's listeners return from now on. `off()`, `once()` and `listeners()` are as before. */
  watch(watched: C): void {
    const connection = new WeakRef(watched);
    const add = (result: unknown): void => {
      if (types.isPromise(result)) this.#add({ promise: new WeakRef(result), connection });
    };
    watchEmit(watched as unknown as Emitter, add);
    watchHandlers(watched as Target, add);
  }

  /** The connections among `open` of which a listener is not done, and whether one of another is not. */
  pending(open: { has(connection: C): boolean }): {
    readonly connections: ReadonlySet<C>;
    readonly gone: boolean;
  } {
    this.#forgetSettled();
    const connections = new Set<C>();
    let gone = false;
    for (const { connection } of this.#work) {
      const found = connection.deref();
      if (found !== undefined && open.has(found)) connections.add(found);
      else gone = true;
    }
    return { connections, gone };
  }

  /** How many promises there are, settled ones too. */
  get remembered(): number {
    return this.#work.size;
  }

  #add(work: Work<C>): void {
    this.#work.add(work);
    if (this.#work.size < this.#most) return;
    this.#forgetSettled();
    this.#most = Math.max(LEAST, 2 * this.#work.size);
  }

  #forgetSettled(): void {
    for (const work of this.#work) {
      const promise = work.promise.deref();
      if (promise === undefined || !isPending(promise)) this.#work.delete(work);
    }
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
 * what listeners reject, it is left alone, and so are errors, which are told to more than their listeners.
 */
function watchEmit(emitter: Emitter, add: (result: unknown) => void): void {
  const { emit } = emitter;
  if (emit !== (EventEmitter.prototype.emit as Emitter["emit"]) || EventEmitter.captureRejections) return;
  emitter.emit = function (this: Emitter, event, ...args): boolean {
    const listeners = event === "error" ? [] : this.rawListeners(event);
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
    const wrapped = typeof handler === "function" ? counted.get(handler) : undefined;
    // One that was added before is there as it is.
    for (const each of [wrapped, handler]) Reflect.apply(removeEventListener, this, [type, each, ...rest]);
  };
}
