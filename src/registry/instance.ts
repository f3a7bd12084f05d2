import type { Description } from "../description/index.ts";

/** How an instance is told from others of its description: an int32, or a string key. */
export type InstanceId = number | string;

/** One registered object of a description: the kernel's `kstate_register(desc, obj, id)`. */
export interface Instance {
  readonly description: Description;
  readonly object: object;
  /** What it was registered as. */
  readonly instanceId: InstanceId;
  /** The int32 in the stream: the instance id, or one that stands for the key. */
  readonly wireId: number;
  readonly isOptional: boolean;
}

/** All instances of a description, in a map of the program's own. */
export interface Collection {
  readonly description: Description;
  readonly objects: Map<InstanceId, object>;
  readonly create: (instanceId: InstanceId) => object;
}

/** The object of a key that no other key has had yet: where two have one, the second gets one of its own. */
export function ownObject(
  { objects }: Collection,
  instanceId: InstanceId,
  taken: Set<object>,
): object | undefined {
  const object = objects.get(instanceId);
  if (object === undefined || taken.has(object)) return undefined;
  taken.add(object);
  return object;
}

/** An instance in reports and messages. */
export interface InstanceName {
  readonly description: string;
  readonly instanceId: InstanceId;
}

/** `room`, `room#123`, `room#"lobby"`: the beginning of every path. */
export function instanceText(description: string, instanceId: InstanceId): string {
  if (instanceId === 0) return description;
  return `${description}#${typeof instanceId === "string" ? JSON.stringify(instanceId) : instanceId}`;
}
