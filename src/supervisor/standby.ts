import type { SupervisorSystem } from "./system.ts";
import type { BootingProgram } from "./update.ts";

/** The previous version, booted anew and waiting in `ready()`, so that a rollback costs no boot. */
export class Standby {
  readonly until: Date;
  readonly #booting: BootingProgram;
  readonly #system: SupervisorSystem;
  readonly #timer: NodeJS.Timeout;

  /** `over` is called when its time has come. */
  constructor(system: SupervisorSystem, booting: BootingProgram, standbyMs: number, over: () => void) {
    this.#system = system;
    this.#booting = booting;
    this.until = new Date(Date.now() + standbyMs);
    this.#timer = setTimeout(over, standbyMs);
  }

  get program(): BootingProgram["program"] {
    return this.#booting.program;
  }

  /** Gives it away: it is somebody's successor now. */
  take(): BootingProgram {
    clearTimeout(this.#timer);
    return this.#booting;
  }

  /** Ends it. */
  end(): void {
    clearTimeout(this.#timer);
    this.#system.close(this.#booting.pairEnd);
    this.program.kill("SIGKILL");
  }
}
