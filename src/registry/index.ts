export type { InstanceId, InstanceName } from "./instance.ts";
export { type LoadOptions, type RegisterOptions, Registry } from "./registry.ts";
export type { IgnoredEntry, KeptField, LoadReport } from "./report.ts";
export type { SaveOptions } from "./save.ts";
