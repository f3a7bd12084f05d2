import type { ToSupervisor } from "../live/protocol.ts";
import type { HostedService } from "./hosted-service.ts";
import type { Command, Program } from "./program.ts";
import type { BootingProgram } from "./update.ts";

interface Waiting {
  readonly booting: BootingProgram;
  readonly until: Date;
  readonly timer: NodeJS.Timeout;
}

/** The previous version, booted anew and waiting in `ready()`, so that a rollback costs no boot; at most one. */
export class Standby {
  readonly #service: HostedService;
  #waiting: Waiting | undefined;

  constructor(service: HostedService) {
    this.#service = service;
  }

  get program(): Program | undefined {
    return this.#waiting?.booting.program;
  }

  get until(): Date | undefined {
    return this.#waiting?.until;
  }

  /** Boots a program that waits so long, ms. */
  begin(command: Command, standbyMs: number): void {
    const booting = this.#service.start(command, "standby");
    const over = (): void => {
      this.#service.log(`nobody went back: ${booting.program.pid} stands by no longer`);
      this.end();
    };
    const until = new Date(Date.now() + standbyMs);
    this.#waiting = { booting, until, timer: setTimeout(over, standbyMs) };
  }

  receive(message: ToSupervisor): void {
    if (message.type === "ready") this.#service.log(`${this.program?.pid} stands by for a rollback`);
  }

  exited(message: string): void {
    this.#service.log(`the standby is gone: ${message}`);
    this.end();
  }

  /** Gives it away: it is somebody's successor now. */
  take(): BootingProgram | undefined {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    clearTimeout(waiting?.timer);
    return waiting?.booting;
  }

  /** Ends it. */
  end(): void {
    const booting = this.take();
    if (booting === undefined) return;
    if (booting.pairEnd !== null) this.#service.system.close(booting.pairEnd);
    booting.program.kill("SIGKILL");
  }
}
