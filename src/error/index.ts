export type { ErrorCode, ErrorDetails, Place } from "./codes.ts";
export { isKstateError, KstateError, reasonText, withSuppressed } from "./error.ts";
export { type ErrorRecord, fromErrorRecord, toErrorRecord, toSupervisorRecord } from "./error-record.ts";
