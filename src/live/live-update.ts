import type { ChildProcess } from "node:child_process";
import type { Socket as DatagramSocket } from "node:dgram";
import type { Server } from "node:net";
import type { Worker } from "node:worker_threads";
import { findSuspended, openCarrier, type Waiting } from "../carrier/index.ts";
import type { Description } from "../description/index.ts";
import { isKstateError, KstateError } from "../error/index.ts";
import type { PhysicalMemory } from "../memory/index.ts";
import { Registry } from "../registry/index.ts";
import { type CheckpointOptions, Checkpoints } from "./checkpoints.ts";
import type { Parts } from "./freeze.ts";
import { type BindOptions, Listeners, type ListenOptions } from "./listeners.ts";
import { LiveCollections } from "./live-collections.ts";
import { LiveMemory } from "./live-memory.ts";
import { assertNoCluster, LiveResources } from "./live-resources.ts";
import { ENVIRONMENT_VARIABLE, type LiveEnvironment, UNNAMED_SERVICE } from "./protocol.ts";
import { type QuiesceHook, QuiesceHooks } from "./quiesce-hooks.ts";
import type { MovingConnections } from "./sockets/connections.ts";
import { type ConnectionHandlers, DescribedSockets } from "./sockets/described-sockets.ts";
import { assertDetachable, Detached } from "./sockets/detached.ts";
import { type EventStreamHandlers, EventStreams } from "./sockets/event-streams.ts";
import { httpConnectionsState, httpPendingState } from "./sockets/records.ts";
import { type WebSocketHandlers, type WebSocketServerLike, WebSockets } from "./sockets/web-sockets.ts";
import { Starters, type StartFunction } from "./starters.ts";
import { AFTER_CRASH, type AfterCrash, StateDirectory } from "./state-directory.ts";
import { Supervised } from "./supervised.ts";
import { liveSystem } from "./system.ts";
import type { AnyTrackedMap } from "./tracked/slice.ts";
import type { TrackedMap } from "./tracked/tracked-map.ts";
import { Unsupervised } from "./unsupervised.ts";

/** A program's part in live updates. Made by {@link joinLiveUpdate}. */
export class LiveUpdate {
  /** The service's name. */
  readonly name: string;
  readonly #collections = new LiveCollections();
  /**
   * The service's physical memory: what is there stays where it is when the next version takes over. Without a
   * supervisor it is saved and loaded with the state.
   */
  readonly memory: LiveMemory;
  readonly #parts: Parts;
  readonly #checkpoints: Checkpoints;
  readonly #program: Supervised | Unsupervised;
  #describedServers = 0;

  /** @internal */
  constructor(options: JoinOptions, environment: LiveEnvironment | undefined, directory?: StateDirectory) {
    const { allow = [] } = options;
    this.name = environment?.name ?? options.name;
    const detached = new Detached(options.detachedLimitMs);
    this.#parts = {
      registry: new Registry({ folioAt: (address) => this.#folioAt(address) }),
      listeners: new Listeners(detached),
      httpRecords: { listeners: [] },
      httpPending: { pending: [] },
      moving: [],
      detached,
      quiesceHooks: new QuiesceHooks(),
      resources: new LiveResources(allow),
      starters: new Starters(),
      collections: this.#collections,
      tracked: [],
    };
    this.#parts.registry.register(httpConnectionsState, this.#parts.httpRecords);
    this.#parts.registry.register(httpPendingState, this.#parts.httpPending);
    const memory = (): PhysicalMemory => this.#program.memory;
    this.#checkpoints = new Checkpoints(this.#parts, memory, options.checkpoint, () => {
      if (this.#program instanceof Unsupervised) this.#program.writeCheckpoint();
    });
    this.memory = new LiveMemory(memory, this.#collections, this.#checkpoints);
    this.#program =
      environment === undefined
        ? new Unsupervised(this.#parts, directory, afterCrash(options), waitingFor(options))
        : new Supervised(environment, this.#parts, this.#checkpoints, liveSystem, {
            directory,
            afterCrash: afterCrash(options),
          });
  }

  /** Whether a supervisor (`kstate run`) runs the program. */
  get supervised(): boolean {
    return this.#program instanceof Supervised;
  }

  /**
   * Makes an object part of the state that moves. Objects registered after `ready()` count from then on.
   * `instanceId` is 0 unless given. Errors: those of `Registry.register`.
   */
  register<State extends object>(
    description: Description<State>,
    object: State,
    instanceId: number | string = 0,
  ): void {
    this.#parts.registry.register(description, object, instanceId);
  }

  /**
   * Makes a tracked map part of the state: most of it is sent to the next version before the freeze. Errors: those of
   * `Registry.register`, `NOT_ALLOWED_NOW`.
   */
  track<K, V>(map: TrackedMap<K, V>): void {
    this.#assertBooting("track");
    this.#parts.registry.register(map.description, map.record);
    this.#parts.tracked.push(map as AnyTrackedMap);
  }

  /** Takes an object out of the state again: it has ended. */
  unregister<State extends object>(description: Description<State>, instanceId: number | string = 0): void {
    this.#parts.registry.unregister(description, instanceId);
  }

  /**
   * Lets a server of `node:http` or `node:net` listen; it accepts only after `ready()`. Its listening socket and its
   * keep-alive connections move to the next version; those of a `node:net` server move if they are described to
   * {@link connections}. Errors: `SERVER_UNSUPPORTED` (TLS), `LISTEN_FAILED`, `NOT_ALLOWED_NOW`.
   */
  listen(server: Server, options: ListenOptions): void {
    this.#assertBooting("listen");
    this.#parts.listeners.add(server, options);
  }

  /**
   * Binds a UDP socket of `node:dgram`; it receives after `ready()`. The next version reads on where this one stopped:
   * datagrams of the meantime wait in the kernel's buffer. Errors: `SERVER_UNSUPPORTED`, `LISTEN_FAILED`,
   * `NOT_ALLOWED_NOW`.
   */
  bind(socket: DatagramSocket, options: BindOptions): void {
    this.#assertBooting("bind");
    this.#parts.listeners.addDatagrams(socket, options);
  }

  /**
   * Moves the WebSockets of a `WebSocketServer` of ws, each with what the program knows about it.
   * Errors: `WEBSOCKETS_UNSUPPORTED`, `NOT_ALLOWED_NOW`.
   */
  webSockets<W extends object, State>(
    server: WebSocketServerLike<W>,
    handlers: WebSocketHandlers<W, State>,
  ): void {
    this.#assertBooting("webSockets");
    const webSockets = new WebSockets(server, handlers, () => this.#parts.listeners.servers);
    this.#move(webSockets);
  }

  /**
   * Moves the connections of a `node:net` server, each with what the program knows about it, what it has received and
   * no listener has seen, and what it has written and the client has not taken. Errors: `NOT_ALLOWED_NOW`.
   */
  connections<State>(server: Server, handlers: ConnectionHandlers<State>): void {
    this.#assertBooting("connections");
    const number = this.#describedServers;
    this.#describedServers += 1;
    const sockets = new DescribedSockets(number, handlers, () => this.#parts.listeners.servers);
    sockets.accept(server, handlers);
    this.#move(sockets);
  }

  /**
   * Makes a set of server-sent event streams that move, each with what the program knows about it; open one for a
   * response with `open`. The name tells several sets apart. Errors: `NOT_ALLOWED_NOW`.
   */
  eventStreams<State>(name: string, handlers: EventStreamHandlers<State>): EventStreams<State> {
    this.#assertBooting("eventStreams");
    const streams = new EventStreams(name, handlers, () => this.#parts.listeners.servers);
    this.#move(streams.sockets);
    return streams;
  }

  #move(connections: MovingConnections): void {
    const { moving, registry } = this.#parts;
    connections.register(registry, moving.filter(({ kind }) => kind === connections.kind).length);
    moving.push(connections);
  }

  /**
   * Lets a response finish in this program after an update has moved everything else: a long download, a report. No
   * update waits for it. After an update it has an hour, unless `detachedLimitMs` says otherwise. Its handler must not change state any more: what it changes after the freeze is lost.
   * The response gets `Connection: close`, unless its head has been sent. `DETACH_UNSUPPORTED` for anything else.
   */
  detached(response: object): void {
    const { listeners, detached } = this.#parts;
    assertDetachable(response, (socket) => listeners.servers.some((server) => server.canDetach?.(socket)));
    detached.mark(response);
  }

  /**
   * Registers what releases things that only one program can hold (a lease, a consumer, a job), before the freeze
   * and while requests are still served; it may be asynchronous. What it returns takes them back if the update is
   * cancelled. One that takes longer than the time to quiesce refuses the update (`REQUESTS_BUSY`); one that throws,
   * too (`HOOK_FAILED`).
   */
  quiesce(hook: QuiesceHook): void {
    this.#parts.quiesceHooks.add(hook);
  }

  /**
   * Lets a worker thread or a child process go on while the state is saved and after the update; it ends with this
   * program, or when it likes. Updates are refused (`LIVE_RESOURCE`) while there are others, except workers with
   * `kstate/live/worker`, which stand still meanwhile, and child processes that are unref'd.
   */
  allow(resource: Worker | ChildProcess): void {
    this.#parts.resources.allow(resource);
  }

  /**
   * Registers what begins timers and other activities, and returns what ends them. It is called when the program
   * serves (`boot`, `restore`), and again when an update was cancelled (`thaw`). Synchronous: `HOOK_ASYNC`.
   */
  start(begin: StartFunction): void {
    this.#assertBooting("start");
    this.#parts.starters.add(begin);
  }

  /**
   * Has a function called with the reason whenever an update has been refused or undone and this program serves on:
   * a request that did not end (`REQUESTS_BUSY`), a hook, a state that the next version does not read, a next version
   * that ended. For a log, or to make the next attempt possible.
   */
  onBlocked(listener: (error: KstateError) => void): void {
    if (this.#program instanceof Supervised) this.#program.blocked.push(listener);
  }

  /**
   * Resolves when the program serves. A successor waits here, booted, until the state has come; if it cannot
   * take over it is rejected with the reason, and the previous version goes on.
   */
  async ready(): Promise<void> {
    this.#assertBooting("ready");
    for (const moving of this.#parts.moving) moving.warnOfMissed(0);
    if (this.#program instanceof Supervised) return this.#program.ready();
    return this.#program.ready(this.#checkpoints);
  }

  /**
   * Without a supervisor: ends the program's activities and connections, and keeps its state in a carrier: `file:PATH`,
   * `luo:SESSION` or `dax:PATH`, with absolute paths. End the program then; with `isHeld` only when the machine reboots, as
   * the LUO session ends with it. A program that is started with `resume` takes it up. If it fails (`CARRIER_FAILED`,
   * `DAX_UNSUPPORTED`) the program goes on. `NOT_ALLOWED_NOW` under a supervisor: `kstate suspend` does it there.
   */
  async suspend(to: string): Promise<{ readonly sizeBytes: number; readonly isHeld: boolean }> {
    if (this.#program instanceof Supervised) {
      const message = "cannot call suspend(): the program is supervised; use kstate suspend";
      throw new KstateError("NOT_ALLOWED_NOW", message, { call: "suspend", phase: "supervised" });
    }
    const { record, isHeld } = await this.#program.suspend(this.name, openCarrier(to));
    return { sizeBytes: record.sizeBytes, isHeld };
  }

  /** Address 0 stands for no folio: nothing is ever allocated there. */
  #folioAt(address: bigint): { readonly address: bigint } {
    return address === 0n ? { address } : this.#program.memory.claim(Number(address));
  }

  #assertBooting(call: string): void {
    const { phase } = this.#program;
    if (phase === "booting") return;
    throw new KstateError(
      "NOT_ALLOWED_NOW",
      `cannot call ${call}(): the program is ${phase}; call it before ready()`,
      { call, phase },
    );
  }
}

export interface JoinOptions {
  /** The service's name when it is not supervised; a supervisor knows it better. */
  readonly name: string;
  /**
   * Child processes (by the file name of their command) and worker threads (by their `name`, which Node tells from
   * version 24 on; `"worker"` stands for all without one) that may go on during an update. None unless given.
   */
  readonly allow?: readonly string[];
  /**
   * How often the state is saved while the program serves, so that it is started again with it after a crash. Not at
   * all unless given. Saving holds the event loop up for some 50 ns for each object.
   */
  readonly checkpoint?: CheckpointOptions;
  /**
   * How long {@link LiveUpdate.detached} responses may take after an update, ms, until they are cut off and the old
   * program ends; 0 for as long as they like. An hour unless given.
   */
  readonly detachedLimitMs?: number;
  /**
   * Whether a program saves its state at its end and loads it when it starts again, with a supervisor as without. True unless
   * given here, or unless the environment has `KSTATE_PERSIST=no`.
   */
  readonly persist?: boolean;
  /**
   * Without a supervisor: the carrier in which `suspend` of the last run may have left the state (`luo:SESSION`, `dax:PATH`,
   * `file:PATH`), or `"auto"`: a LUO session of this name, `NAME.kstate` on DAX, then `NAME.kstate` in the directory of
   * states. Looked at before the state file. Nowhere unless given.
   */
  readonly resume?: string;
  /**
   * The directory of states in place of `$KSTATE_DIR` or `./.kstate`; a directory NAME is made in it: the name above, or the
   * service's if `kstate run` was given one.
   */
  readonly directory?: string;
  /**
   * What to do when the last run ended without saving and left no checkpoint, or its state was refused. `"refuse"` (with
   * `STALE` or `STATE_REFUSED`) unless given here or in `KSTATE_AFTER_CRASH`; `"boot"` begins empty, `"reload"` loads the
   * last whole state again, `"partial"` what could be saved of one that was refused. Not of a program that its supervisor
   * starts again: it has the service's memory.
   */
  readonly afterCrash?: AfterCrash;
}

function waitingFor({ name, resume }: JoinOptions): Waiting | undefined {
  if (resume === undefined) return undefined;
  return resume === "auto" ? findSuspended(name, process.env) : openCarrier(resume).find();
}

function afterCrash(options: JoinOptions): AfterCrash {
  const chosen = options.afterCrash ?? (process.env.KSTATE_AFTER_CRASH || "refuse");
  const known = AFTER_CRASH.find((choice) => choice === chosen);
  if (known !== undefined) return known;
  throw new RangeError(`afterCrash has to be one of ${AFTER_CRASH.join(", ")}, not ${chosen}`);
}

function isKept({ persist }: JoinOptions): boolean {
  const { KSTATE_PERSIST: text = "" } = process.env;
  if (!["", "yes", "no"].includes(text))
    throw new RangeError(`KSTATE_PERSIST has to be yes or no, not ${text}`);
  return persist !== false && text !== "no";
}

/**
 * The directory of a supervised program. One that cannot be used is no reason not to serve, for the state is in the
 * service's memory; that nothing will be kept at the end is said at once. `STATE_LOCKED`.
 */
async function supervisedDirectory(
  options: JoinOptions,
  { name, role }: LiveEnvironment,
): Promise<StateDirectory | undefined> {
  const own = name === UNNAMED_SERVICE ? options.name : name;
  try {
    if (role === "successor") return StateDirectory.next(own, options.directory);
    return await StateDirectory.open(own, options.directory);
  } catch (error) {
    if (!isKstateError(error, "STATE_FILE_FAILED")) throw error;
    const text =
      `the state will not be kept when the service ends: ${error.message}; ` +
      "set KSTATE_DIR to a directory that can be written, or persist: false";
    process.emitWarning(text, "KstateWarning", "STATE_NOT_KEPT");
    return undefined;
  }
}

/**
 * Joins live updates, once per program. Under `kstate run` the program can be replaced by its next version;
 * the service's first program, or one that is started by itself, loads the state that was saved at the last end. Errors:
 * `ALREADY_JOINED`, `CLUSTER_UNSUPPORTED`, `STATE_LOCKED`, `STALE`, `STATE_REFUSED`, `STATE_FILE_FAILED`, `IMAGE_INVALID`,
 * `NAME_INVALID`; supervised `PLATFORM_UNSUPPORTED`.
 */
export async function joinLiveUpdate(options: JoinOptions): Promise<LiveUpdate> {
  assertNoCluster();
  const key = Symbol.for("kstate.joined");
  if (Object.hasOwn(globalThis, key)) {
    throw new KstateError(
      "ALREADY_JOINED",
      "joinLiveUpdate() was called twice; keep its result and pass it on",
      {},
    );
  }
  Object.defineProperty(globalThis, key, { value: true });
  const text = process.env[ENVIRONMENT_VARIABLE];
  delete process.env[ENVIRONMENT_VARIABLE]; // the programs that this one starts are not supervised
  if (text !== undefined) {
    const environment = JSON.parse(text) as LiveEnvironment;
    const directory = isKept(options) ? await supervisedDirectory(options, environment) : undefined;
    return new LiveUpdate(options, environment, directory);
  }
  const directory = isKept(options) ? await StateDirectory.open(options.name, options.directory) : undefined;
  return new LiveUpdate(options, undefined, directory);
}
