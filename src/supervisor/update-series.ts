import { fromErrorRecord, KstateError } from "../error/index.ts";
import { shownCommand } from "./command-text.ts";
import type { LastUpdate, UpdateResult, UpdateTimeouts } from "./control-protocol.ts";
import type { Requester, UpdateEntry } from "./history.ts";
import type { HostedService } from "./hosted-service.ts";
import type { Command } from "./program.ts";
import { factsOf } from "./program-facts.ts";
import type { Standby } from "./standby.ts";
import { type BootingProgram, Update, type UpdateOutcome } from "./update.ts";

/** What to start in place of the program that serves. */
export interface NextProgram {
  /** Null: the same command again, with more environment. */
  readonly command: readonly string[] | null;
  readonly environment: Command["environment"];
  readonly environmentFiles?: readonly string[];
  /** Whether a rollback may be impossible or lose state afterwards. */
  readonly force?: boolean;
}

/** What is not said in most updates. */
export interface UpdateExtras {
  /** The successor also reads and checks the live state before anybody waits. */
  readonly rehearse?: boolean;
  /** Connections that wait for their clients alone are closed in the end. */
  readonly dropStalled?: boolean;
  /** Keeps the previous version booted for a rollback, this long, ms. */
  readonly standbyMs?: number | null;
  readonly by?: Requester | null;
}

export interface UpdateRequest extends UpdateExtras {
  readonly timeouts: UpdateTimeouts;
  readonly progress: (text: string) => void;
}

interface SeriesHost {
  /** Throws while the program cannot be replaced. */
  assertUpdatable(): void;
  /** The program that counts has ended. */
  lost(): void;
}

/** The updates and rollbacks of one service, one after the other. */
export class UpdateSeries {
  readonly #service: HostedService;
  readonly #standby: Standby;
  readonly #host: SeriesHost;
  #current: Update | undefined;
  #running: Promise<UpdateResult> | undefined;
  #last: LastUpdate | undefined;

  constructor(service: HostedService, standby: Standby, host: SeriesHost) {
    this.#service = service;
    this.#standby = standby;
    this.#host = host;
  }

  /** The update that is under way. */
  get current(): Update | undefined {
    return this.#current;
  }

  /** Resolves when no update is under way any more. */
  async ended(): Promise<void> {
    while (this.#running !== undefined) await this.#running.catch(() => {});
  }

  get last(): LastUpdate | undefined {
    return this.#last;
  }

  async update(next: NextProgram, request: UpdateRequest): Promise<UpdateResult> {
    const command = commandAfter(this.#service.current.command, next);
    return this.#replace("update", command, next.force ?? false, request);
  }

  async rollback(request: UpdateRequest): Promise<UpdateResult> {
    const { previous } = this.#service;
    if (previous === null) {
      throw new KstateError("NO_PREVIOUS_VERSION", "cannot roll back: no update has been made yet", {});
    }
    // Whoever goes back is not asked whether he could go forward again.
    return this.#replace("rollback", previous, true, request);
  }

  async #replace(
    kind: UpdateEntry["kind"],
    next: Command,
    force: boolean,
    request: UpdateRequest,
  ): Promise<UpdateResult> {
    this.#host.assertUpdatable();
    const running = this.#service.reloads.during(() => this.#run(kind, next, force, request));
    this.#running = running;
    try {
      return await running;
    } finally {
      this.#running = undefined;
    }
  }

  async #run(
    kind: UpdateEntry["kind"],
    next: Command,
    force: boolean,
    { timeouts, progress, rehearse = false, dropStalled = false, standbyMs = null, by = null }: UpdateRequest,
  ): Promise<UpdateResult> {
    const service = this.#service;
    const { system, memory, current: old } = service;
    const startedAtMs = system.nowMs();
    if (!(kind === "rollback" && this.#standby.program !== undefined))
      system.assertRoomForSuccessor(old.pid, service.options.updateMemoryBytes ?? null);
    service.generation += 1;
    const { generation } = service;
    const log = (text: string): void => service.log(text);
    const context = {
      system,
      memory,
      generation,
      timeouts,
      rehearse,
      dropStalled,
      old,
      force,
      progress,
      log,
    };
    const update = new Update(context, this.#successor(kind, next));
    this.#current = update;
    const from = factsOf(old);
    const outcome = await update.outcome;
    this.#current = undefined;
    const totalMs = system.nowMs() - startedAtMs;
    const error = outcome.outcome === "committed" ? null : outcome.error;
    const figures = outcome.outcome === "committed" ? outcome.figures : null;
    const { phases, successor } = update;
    this.#last = { generation, at: new Date().toISOString(), outcome: outcome.outcome, figures, error };
    const facts = { generation, by, from, to: factsOf(successor), phases, totalMs, figures, error };
    service.tell({ kind, outcome: outcome.outcome, ...facts });
    this.#settle(update, outcome, generation);
    if (outcome.outcome !== "committed") throw fromErrorRecord(outcome.error);
    if (standbyMs !== null) this.#standby.begin(old.command, standbyMs);
    return { generation, pid: service.current.pid, command: shownCommand(next.argv), figures, totalMs };
  }

  /** The next program: the one that stands by, if it is what a rollback goes back to. */
  #successor(kind: UpdateEntry["kind"], next: Command): BootingProgram {
    const standby = kind === "rollback" ? this.#standby.take() : undefined;
    if (standby !== undefined) {
      this.#service.write(standby.program);
      return standby;
    }
    this.#standby.end();
    return this.#service.start(next, "successor");
  }

  #settle(update: Update, outcome: UpdateOutcome, generation: number): void {
    const service = this.#service;
    const old = service.current;
    if (outcome.outcome === "cancelled") {
      service.log(`update ${generation} cancelled, ${old.pid} goes on: ${outcome.error.message}`);
      service.write(null);
      if (old.exited) this.#host.lost();
      return;
    }
    const { successor } = update;
    service.current = successor;
    if (!old.exited) service.leaving.add(old);
    service.listening.keep(successor.listeners);
    service.previous = old.command;
    service.write(null);
    const crash = outcome.outcome === "crashed" ? outcome.error.message : null;
    if (crash === null) service.log(`update ${generation} committed, ${successor.pid} serves`);
    else service.log(`update ${generation} committed, but ${successor.pid} crashed: ${crash}`);
    if (successor.exited) this.#host.lost();
  }
}

/** The command that comes next: the same again with more in its environment, or another one. */
export function commandAfter(
  before: Command,
  {
    command,
    environment,
    environmentFiles = [],
  }: Pick<NextProgram, "command" | "environment" | "environmentFiles">,
): Command {
  if (command !== null) return { argv: command, environment, environmentFiles };
  return {
    argv: before.argv,
    environment: { ...before.environment, ...environment },
    environmentFiles: [...(before.environmentFiles ?? []), ...environmentFiles],
  };
}
