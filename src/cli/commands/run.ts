import { realpathSync } from "node:fs";
import { processCarrier, type Waiting } from "../../carrier/index.ts";
import { KstateError } from "../../error/index.ts";
import { dropCollections } from "../../memory/index.ts";
import {
  activatedSockets,
  claimName,
  DEFAULT_DETACHED_MS,
  DEFAULT_TIMEOUTS,
  ensureRuntimeDirectory,
  findOrphan,
  hasDescriptorStore,
  notifySocket,
  reapOrphans,
  runtimeDirectory,
  Supervisor,
  serveControl,
  socketPath,
  storedMemory,
  storeMemory,
  supervisorSystem,
} from "../../supervisor/index.ts";
import { waitingIn } from "../carrier-option.ts";
import { type CommandLine, SIGNALS } from "../command-line.ts";
import { printError } from "../print.ts";
import { logWithoutWaiting } from "../service-log.ts";
import { usage } from "../usage.ts";

/** Runs a service until it ends; its exit status is the program's. */
export async function run(line: CommandLine): Promise<number> {
  const { from, staleOk, adopt } = line;
  if (from !== null && adopt)
    throw usage("--from begins with a state, --adopt with a program: give one of them");
  const waiting = from === null ? keptBySystemd() : waitingIn(from, { staleOk });
  return serve(line, without(line.dropCollections, waiting));
}

/** A state that was kept, without the collections of those names: one that is damaged keeps the program from starting. */
function without(names: readonly string[], waiting: Waiting | undefined): Waiting | undefined {
  if (names.length === 0) return waiting;
  if (waiting === undefined)
    throw usage(
      "--drop-collection takes something out of a state that was kept: say which with --from; for one in the directory of states set KSTATE_DROP_COLLECTION",
    );
  const restore = (): ReturnType<Waiting["restore"]> => {
    const memory = waiting.restore();
    dropCollections(memory, names);
    return memory;
  };
  const { name, record, isHeld } = waiting;
  return { name, record, isHeld, restore, finish: () => waiting.finish() };
}

/** Runs a service that begins with what waits for it, if anything does. */
export async function serve(line: CommandLine, waiting: Waiting | undefined): Promise<number> {
  const { name, command, memoryBytes, adopt, environment, environmentFiles, restarts } = line;
  logWithoutWaiting();
  if (command === null && !adopt) throw usage("no command: kstate run -- node app.js");
  const directory = runtimeDirectory(process.env);
  ensureRuntimeDirectory(directory);
  const systemd = { ...process.env };
  const notify = notifySocket(systemd.NOTIFY_SOCKET);
  const server = await claimName(name, socketPath(directory, name));
  delete process.env.NOTIFY_SOCKET; // only this process is asked, not the programs
  try {
    if (!adopt) assertNoOrphan(directory, name);
    return await new Promise<number>((resolve) => {
      const options = {
        name,
        cwd: logicalDirectory(),
        runtimeDirectory: directory,
        log: (text: string) => printError(`kstate: ${text}`),
        restarts,
        updateMemoryBytes: line.updateMemoryBytes,
        activated: activatedSockets(process.env, process.pid),
        ...(notify === undefined ? {} : { notify }),
        ended: resolve,
      };
      const adopted = adopt ? Supervisor.adopt(options, supervisorSystem) : null;
      if (adopted === null && command === null) throw nothingToAdopt(name);
      const first = { argv: command ?? [], environment, environmentFiles };
      const supervisor =
        adopted ?? Supervisor.start(options, supervisorSystem, first, waiting ?? memoryBytes);
      serveControl(server, supervisor);
      const stop = keepInStore(supervisor, options.log, systemd) ?? (() => end(supervisor, options.log));
      watchSignals(supervisor, line, stop);
    });
  } finally {
    server.close();
  }
}

/** The suspended state that the supervisor before us left in systemd's descriptor store, if it did. */
function keptBySystemd(): Waiting | undefined {
  const descriptor = storedMemory(process.env);
  return descriptor === undefined ? undefined : processCarrier(descriptor).find();
}

/**
 * Under systemd with a descriptor store the memory goes there, so that being ended is being suspended: the next start
 * has it. Returns what ends the service then; undefined without a store.
 */
function keepInStore(
  supervisor: Supervisor,
  log: (text: string) => void,
  environment: NodeJS.ProcessEnv,
): (() => void) | undefined {
  if (!hasDescriptorStore(environment)) return undefined;
  try {
    storeMemory(environment, supervisor.memoryDescriptor);
  } catch (error) {
    log(`the memory is not kept by systemd: ${(error as Error).message}`);
    return undefined;
  }
  const keep: Parameters<Supervisor["suspend"]>[1] = async (memory, facts) => {
    return { ...(await processCarrier().store(memory, facts)), isHeld: false }; // systemd holds it
  };
  // All connections end with it: one that waits for its client is no reason to lose the memory.
  const request = {
    lock: null,
    timeouts: DEFAULT_TIMEOUTS,
    detachedMs: DEFAULT_DETACHED_MS,
    dropStalled: true,
  };
  return () => {
    supervisor.suspend(request, keep, () => {}).catch(() => end(supervisor, log));
  };
}

/** Ends the service for a signal: nobody waits for the answer. */
function end(supervisor: Supervisor, log: (text: string) => void): void {
  supervisor.stop().catch((error: unknown) => log(`the service was not ended: ${(error as Error).message}`));
}

/** SIGTERM and SIGINT end the service; others are the program's, or begin an update. */
function watchSignals(supervisor: Supervisor, { updateOn, timeouts }: CommandLine, stop: () => void): void {
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, stop);
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (signal === updateOn) void supervisor.reload(signal, timeouts);
      else supervisor.signal(signal);
    });
  }
  if (process.pid === 1) process.on("SIGCHLD", () => reapOrphans(process.pid, supervisor.pids));
}

/** Two programs of one name would fight for the same addresses and have half of the clients each. */
function assertNoOrphan(directory: string, name: string): void {
  const pid = findOrphan(directory, name, supervisorSystem.startTicks);
  if (pid === null) return;
  throw new KstateError(
    "NAME_IN_USE",
    `program ${pid} of ${name} still serves, though its supervisor has ended; ` +
      `take it over with "kstate run --name ${name} --adopt", or end it`,
    { name },
  );
}

function nothingToAdopt(name: string): KstateError {
  return new KstateError(
    "NOTHING_TO_ADOPT",
    `cannot adopt ${name}: no program of it runs here; start it with "kstate run --name ${name} -- node app.js"`,
    { name },
  );
}

/** The working directory as the shell names it: a symbolic link in it is followed anew for each version. */
function logicalDirectory(): string {
  const { PWD } = process.env;
  const here = process.cwd();
  try {
    return PWD !== undefined && realpathSync(PWD) === here ? PWD : here;
  } catch {
    return here;
  }
}
