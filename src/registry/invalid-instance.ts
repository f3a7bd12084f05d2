import { type Description, picture } from "../description/index.ts";
import { KstateError } from "../error/index.ts";
import { instanceKeyLimit } from "../stream/index.ts";
import type { InstanceId } from "./instance.ts";

/** Throws `DESCRIPTION_INVALID` for what was not made by `defineState`. */
export function assertDescription(call: string, description: Description): void {
  const { name, fields, hooks } = (description ?? {}) as Partial<Description>;
  if (typeof name === "string" && Array.isArray(fields) && typeof hooks === "object") return;
  throw new KstateError(
    "DESCRIPTION_INVALID",
    `${call}: expected a description made by defineState, got ${picture(description)}`,
    { description: "", field: null, problem: "not a description" },
  );
}

/** Throws `INSTANCE_INVALID`. */
export function assertInstance(description: Description, object: unknown, instanceId: InstanceId): void {
  assertInstanceId("register", description, instanceId);
  if (typeof object !== "object" || object === null) {
    throw invalid("register", description, `expected an object, got ${picture(object)}`);
  }
}

/** Throws `INSTANCE_INVALID` unless it is a map of objects by instance id. */
export function assertMap(description: Description, objects: Map<InstanceId, object>): void {
  if (!((objects as unknown) instanceof Map))
    throw invalid("registerAll", description, `expected a Map of objects, got ${picture(objects)}`);
  for (const [instanceId, object] of objects) {
    assertInstanceId("registerAll", description, instanceId);
    if (typeof object !== "object" || object === null) {
      const problem = `expected objects, got ${picture(object)} for ${picture(instanceId)}`;
      throw invalid("registerAll", description, problem);
    }
  }
}

/** Throws `INSTANCE_INVALID`. */
export function assertInstanceId(call: string, description: Description, instanceId: InstanceId): void {
  const isText = typeof instanceId === "string" && instanceId !== "" && instanceId.length <= instanceKeyLimit;
  const isKey = isText && !/\p{Surrogate}/u.test(instanceId);
  const isNumber = typeof instanceId === "number" && (instanceId | 0) === instanceId;
  if (isKey || isNumber) return;
  const expected = `an instance id is an int32 or a string of 1 to ${instanceKeyLimit} characters`;
  throw invalid(call, description, `${expected}, got ${picture(instanceId)}`);
}

function invalid(call: string, { name }: Description, problem: string): KstateError<"INSTANCE_INVALID"> {
  return new KstateError("INSTANCE_INVALID", `${call}(${name}): ${problem}`, { description: name, problem });
}
