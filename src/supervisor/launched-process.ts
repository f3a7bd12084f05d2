import type { SupervisorSystem } from "./system.ts";
import type { ProcessEnd, WatchedProcess } from "./watched-process.ts";

/**
 * What a command has become: the process that was spawned, the program itself if that is another one (`sh -c "node app.js;
 * true"`, nodemon), and what is between them. It has ended when the spawned process and the program have; one that was
 * told to end, when nothing of it is left.
 *
 * A process is held by a descriptor before it is asked whose it is, so that no signal reaches a later one with its id.
 */
export class LaunchedProcess implements WatchedProcess {
  /** The child, or of an adopted program the program. */
  readonly spawnedPid: number;
  readonly #system: SupervisorSystem;
  readonly #controlPath: string;
  readonly #spawned: WatchedProcess;
  #program: WatchedProcess | undefined;
  /** Those beside the spawned one that have not ended and are waited for. */
  readonly #others = new Map<number, WatchedProcess>();
  readonly #sessions = new Set<number>();
  /** Of the spawned process. */
  #end: ProcessEnd | undefined;
  #signal: "SIGTERM" | "SIGKILL" | undefined;
  #listener: (end: ProcessEnd) => void = () => {};

  constructor(system: SupervisorSystem, controlPath: string, spawned: WatchedProcess) {
    this.#system = system;
    this.#controlPath = controlPath;
    this.#spawned = spawned;
    this.spawnedPid = spawned.pid;
    spawned.onEnd((end) => {
      this.#end = end;
      for (const other of this.#others.values()) other.look();
      this.#settle();
    });
  }

  /** The program's, once it has said it. */
  get pid(): number {
    return this.#program?.pid ?? this.spawnedPid;
  }

  /** The program says which process it is. It is believed if it has come from the command. */
  introduce(pid: number): void {
    if (pid === this.spawnedPid || this.#program !== undefined) return;
    this.#follow(pid);
    this.#program = this.#others.get(pid);
  }

  /**
   * SIGTERM and SIGKILL are for everything that has come from the command: a shell that ends leaves its children running.
   * Other signals are for the program, as a shell would end of them.
   */
  kill(signal: NodeJS.Signals): void {
    if (signal !== "SIGTERM" && signal !== "SIGKILL") return (this.#program ?? this.#spawned).kill(signal);
    this.#signal = signal;
    this.#gather();
    for (const other of this.#others.values()) other.kill(signal);
    if (this.#end === undefined) this.#spawned.kill(signal);
    queueMicrotask(() => {
      for (const other of this.#others.values()) other.look(); // no end is told to whoever is still sending signals
    });
  }

  onEnd(listener: (end: ProcessEnd) => void): void {
    this.#listener = listener;
  }

  look(): void {
    this.#spawned.look();
    for (const other of this.#others.values()) other.look();
  }

  forget(): void {
    this.#spawned.forget();
    for (const other of this.#others.values()) other.forget();
    this.#others.clear();
  }

  /** Those that have been started meanwhile; they are returned. */
  #gather(): WatchedProcess[] {
    for (const pid of [process.pid, this.spawnedPid, this.pid]) {
      const session = this.#system.sessionOf(pid);
      if (session !== null) this.#sessions.add(session);
    }
    return this.#system
      .markedProcesses(this.#controlPath, this.#sessions)
      .map((pid) => this.#follow(pid))
      .filter((other) => other !== null);
  }

  /** Null when it is followed already, has ended, or is somebody else's. */
  #follow(pid: number): WatchedProcess | null {
    if (pid === this.spawnedPid || this.#others.has(pid)) return null;
    const other = this.#held(pid);
    if (other === null) return null;
    if (!this.#system.isMarked(pid, this.#controlPath)) {
      other.forget();
      return null;
    }
    this.#others.set(pid, other);
    other.onEnd(() => {
      this.#others.delete(pid);
      this.#settle();
    });
    return other;
  }

  /** Without a descriptor for it nothing can be sent to it safely. */
  #held(pid: number): WatchedProcess | null {
    try {
      return this.#system.watch(pid);
    } catch {
      return null;
    }
  }

  #settle(): void {
    if (this.#end === undefined || this.#others.size > 0) return;
    if (this.#signal !== undefined) {
      const late = this.#gather(); // a process that ended had just started another one
      for (const other of late) other.kill(this.#signal);
      for (const other of late) other.look();
      if (this.#others.size > 0) return;
    }
    this.#listener(this.#end);
  }
}
