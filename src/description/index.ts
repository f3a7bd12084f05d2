export { type CodeHashes, codeHashes, codeHashing } from "./code-hashes.ts";
export { defineState, definitionStack, type StateOptions } from "./define.ts";
export {
  type AnyField,
  Field,
  type FieldList,
  type ObjectField,
  type ScalarField,
  type UntilOptions,
} from "./field.ts";
export { expectation, f32Overflow, fits, integerRange, picture } from "./fit.ts";
export type { FieldsState, StateOf, ValueOf } from "./infer.ts";
export {
  address,
  array,
  bool,
  bytes,
  char,
  custom,
  f32,
  f64,
  folio,
  i8,
  i16,
  i32,
  i64,
  pointer,
  pointerArray,
  struct,
  u8,
  u16,
  u32,
  u64,
  type WideField,
} from "./kernel-kinds.ts";
export {
  fieldsIn,
  isSameLayout,
  isSameNewest,
  kindText,
  layoutLines,
  sameConditions,
  sameCount,
  sameName,
  wire,
} from "./layout.ts";
export { engineLimits, type LimitedKind, limitAdvice, limitOf } from "./limits.ts";
export {
  addClosure,
  type DescriptionRecord,
  type FieldRecord,
  hasReferences,
  type KindRecord,
  type LockRecord,
  lockHash,
  lockRecord,
  lockText,
  lockTextHash,
  namesWithReferences,
  recordClosure,
} from "./lock-record.ts";
export type * from "./model.ts";
export {
  assertSameLayout,
  commonVersion,
  idReused,
  negotiate,
  unwritableField,
  type VersionIds,
} from "./negotiate.ts";
export {
  bitmap,
  blob,
  date,
  deadline,
  enumeration,
  equal,
  type JsonOptions,
  json,
  type Limit,
  list,
  map,
  oneOf,
  optional,
  record,
  ref,
  set,
  string,
  typedArray,
  unused,
} from "./own-kinds.ts";
export { parseLockRecord } from "./parse-lock.ts";
export { carriedRecords, type Identity, type ReusedId, reusedByCarried, reusedId } from "./reused-ids.ts";
export { isDeprecated, isInVersion, isLoadable } from "./versions.ts";
export { nestedFields, nestedKinds, reachable, someKind } from "./walk.ts";
