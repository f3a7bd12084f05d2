import { closeSync, openSync, readFileSync } from "node:fs";
import type { LuoSystem } from "#src/carrier/index.js";
import { KstateError } from "#src/error/index.js";
import { duplicate } from "#src/memory/index.js";

interface Session {
  readonly name: string;
  readonly files: Map<number, number>;
  retrieved: boolean;
}

/**
 * The orchestrator as Linux 7.3 was seen to behave, for tests without one: sessions with duplicates of descriptors,
 * carried over `reboot`, lost when their holder closes them first or nobody retrieves them.
 */
export class FakeLuo implements LuoSystem {
  #outgoing = new Map<string, Session>();
  #incoming = new Map<string, Session>();
  readonly #open = new Map<number, Session | "device">();
  /** The error number with which the next `preserve` fails. */
  failNext: string | undefined;

  /** A kexec: what was preserved and still held is there for the next kernel, and everything else is gone. */
  reboot(): void {
    const carried = [...this.#outgoing.values()].filter((session) =>
      [...this.#open.values()].includes(session),
    );
    this.#incoming = new Map(carried.map((session) => [session.name, session]));
    this.#outgoing = new Map();
    for (const descriptor of this.#open.keys()) closeSync(descriptor);
    this.#open.clear();
  }

  open(): number {
    if ([...this.#open.values()].includes("device")) throw failure("EBUSY");
    return this.#descriptor("device");
  }

  createSession(device: number, name: string): number {
    this.#assertDevice(device);
    if (this.#outgoing.has(name)) throw failure("EEXIST");
    const session = { name, files: new Map(), retrieved: false };
    this.#outgoing.set(name, session);
    return this.#descriptor(session);
  }

  retrieveSession(device: number, name: string): number | undefined {
    this.#assertDevice(device);
    const session = this.#incoming.get(name);
    if (session === undefined) return undefined;
    if (session.retrieved) throw failure("EINVAL");
    session.retrieved = true;
    return this.#descriptor(session);
  }

  preserve(session: number, memfd: number, token: number): void {
    const { failNext } = this;
    this.failNext = undefined;
    if (failNext !== undefined) throw failure(failNext);
    if (!readFileSync(`/proc/self/fdinfo/${memfd}`, "utf8").includes("pos:")) throw failure("EBADF");
    const { files } = this.#session(session);
    if (files.has(token)) throw failure("EEXIST");
    files.set(token, duplicate(memfd));
  }

  retrieve(session: number, token: number): number {
    const { files, retrieved } = this.#session(session);
    const file = files.get(token);
    if (!retrieved || file === undefined) throw failure("EINVAL");
    return duplicate(file);
  }

  finish(session: number): void {
    this.#forget(this.#session(session));
  }

  close(descriptor: number): void {
    const what = this.#open.get(descriptor);
    this.#open.delete(descriptor);
    closeSync(descriptor);
    if (typeof what === "object" && ![...this.#open.values()].includes(what)) this.#forget(what);
  }

  #forget(session: Session): void {
    for (const file of session.files.values()) closeSync(file);
    session.files.clear();
    this.#incoming.delete(session.name);
    this.#outgoing.delete(session.name);
  }

  #descriptor(what: Session | "device"): number {
    const descriptor = openSync("/dev/null", "r");
    this.#open.set(descriptor, what);
    return descriptor;
  }

  #session(descriptor: number): Session {
    const session = this.#open.get(descriptor);
    if (typeof session !== "object") throw failure("EBADF");
    return session;
  }

  #assertDevice(descriptor: number): void {
    if (this.#open.get(descriptor) !== "device") throw failure("EBADF");
  }
}

function failure(errno: string): KstateError {
  return new KstateError("SYSTEM_CALL", `liveupdate failed (${errno})`, { call: "liveupdate", errno });
}
