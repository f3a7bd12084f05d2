export { requestControl } from "./control-client.ts";
export {
  type ControlRequest,
  DEFAULT_TIMEOUTS,
  type LastUpdate,
  type ResumeResult,
  type SupervisorStatus,
  type SuspendResult,
  type UpdateResult,
  type UpdateTimeouts,
} from "./control-protocol.ts";
export { claimName, serveControl } from "./control-server.ts";
export { hasDescriptorStore, storedMemory, storeMemory } from "./descriptor-store.ts";
export type { Command } from "./program.ts";
export { ensureRuntimeDirectory, runtimeDirectory, socketPath } from "./runtime-directory.ts";
export { findOrphan } from "./service-record.ts";
export { Supervisor, type SupervisorOptions } from "./supervisor.ts";
export { type SupervisorSystem, supervisorSystem } from "./system.ts";
