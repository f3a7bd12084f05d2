import { type ErrorRecord, KstateError, toErrorRecord } from "../error/index.ts";
import type { HostedService } from "./hosted-service.ts";
import { factsOf } from "./program-facts.ts";
import { Restarts } from "./restarts.ts";

/** The program that should serve has ended: starts it again, or ends the service. */
export class LostProgram {
  readonly #service: HostedService;
  readonly #restarts: Restarts;
  /** Ends the service with that status. */
  readonly #ended: (exitCode: number) => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(service: HostedService, ended: (exitCode: number) => void) {
    this.#service = service;
    this.#restarts = new Restarts(service.options.restarts);
    this.#ended = ended;
  }

  /** The service has served: what ends from now on was no mistake in how it is started. */
  served(): void {
    this.#restarts.served();
  }

  decide(): void {
    const { current, system, options } = this.#service;
    const { exitCode, servingSinceMs } = current;
    const error = current.end!;
    const servedMs = servingSinceMs === null ? null : system.nowMs() - servingSinceMs;
    const decision = this.#restarts.decide({ exitCode, servedMs });
    const kind = decision.kind === "over" ? "ended" : "crashed";
    this.#service.tell({ kind, program: factsOf(current), error });
    switch (decision.kind) {
      case "over":
        return this.#end(error);
      case "given up":
        return this.#end(givenUp(options.name, decision.attempts, error));
      case "restart":
        return this.#restart(decision, error);
    }
  }

  #restart({ delayMs, attempt }: { delayMs: number; attempt: number }, error: ErrorRecord): void {
    const when = delayMs === 0 ? "now" : `in ${delayMs / 1000} s`;
    this.#service.log(`${error.message}; starting it again ${when} (restart ${attempt})`);
    this.#timer = setTimeout(() => {
      this.#service.announceFirst(this.#service.current.command, "restarted");
    }, delayMs);
  }

  #end(error: ErrorRecord): void {
    this.#service.log(error.message);
    const { exitCode, signal } = exitOf(error);
    this.#ended(signal === null ? (exitCode ?? 1) : 1);
  }

  /** Does not start it again. */
  cancel(): void {
    clearTimeout(this.#timer);
  }
}

function givenUp(name: string, attempts: number, error: ErrorRecord): ErrorRecord {
  return toErrorRecord(
    new KstateError(
      "RESTARTS_EXHAUSTED",
      `${name} is given up after ${attempts} restarts in a row: ${error.message}`,
      { name, attempts, last: error.code },
    ),
  );
}

function exitOf({ code, detail }: ErrorRecord): { exitCode: number | null; signal: string | null } {
  if (code !== "PROGRAM_EXITED") return { exitCode: 1, signal: null };
  return detail as { exitCode: number | null; signal: string | null };
}
