export type { InstanceId, InstanceName } from "./instance.ts";
export { type RegisterMessage, registerChannel } from "./register-channel.ts";
export { type LoadOptions, type RegisterOptions, Registry, type RegistryOptions } from "./registry.ts";
export type { CarriedReport, IgnoredEntry, KeptField, LoadReport } from "./report.ts";
export type { BlockReason, SaveOptions } from "./save.ts";
