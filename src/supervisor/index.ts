export { requestControl } from "./control-client.ts";
export {
  type ControlRequest,
  DEFAULT_DETACHED_MS,
  DEFAULT_STANDBY_MS,
  DEFAULT_TIMEOUTS,
  type LastUpdate,
  type ResumeResult,
  type StopResult,
  type SupervisorStatus,
  type SuspendResult,
  type UpdateResult,
  type UpdateTimeouts,
} from "./control-protocol.ts";
export { claimName, serveControl } from "./control-server.ts";
export { hasDescriptorStore, storedMemory, storeMemory } from "./descriptor-store.ts";
export { type HistoryEntry, HistoryFile, type UpdateEntry } from "./history.ts";
export type { SupervisorOptions } from "./hosted-service.ts";
export { notifySocket } from "./notify-socket.ts";
export { reapOrphans } from "./orphans.ts";
export type { Command } from "./program.ts";
export { RESTART_POLICIES, type RestartPolicy } from "./restarts.ts";
export { ensureRuntimeDirectory, runtimeDirectory, socketPath } from "./runtime-directory.ts";
export { findOrphan } from "./service-record.ts";
export { activatedSockets } from "./socket-activation.ts";
export { Supervisor } from "./supervisor.ts";
export { type SupervisorSystem, supervisorSystem } from "./system.ts";
