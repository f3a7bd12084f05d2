/**
 * What the members of the messages of `protocol.ts` have to be. A member that is not in the table is not looked at: whoever
 * does not know it ignores it.
 */

/**
 * The longest time that may be asked for, ms: eleven days. Two of them and a little more still fit into a timer of Node,
 * which fires at once when it is given more than 2^31 - 1.
 */
export const MAX_TIME_MS = 999_999_999;

/** Whether a number is a time that somebody may be given, ms. */
export function isTimeMs(value: unknown): boolean {
  return isNumber(value) && value > 0 && value <= MAX_TIME_MS;
}

type Check = (value: unknown) => boolean;

/** The members of one message. */
export interface Members {
  readonly required: Readonly<Record<string, Check>>;
  /** Looked at when they are there. */
  readonly optional?: Readonly<Record<string, Check>>;
  /** Required from version 2 on. */
  readonly since2?: Readonly<Record<string, Check>>;
}

const text: Check = (value) => typeof value === "string";
const isTrue: Check = (value) => typeof value === "boolean";
const texts: Check = (value) => Array.isArray(value) && value.every(text);
/** Also where several times were added up. */
const milliseconds: Check = (value) => isNumber(value) && value >= 0 && value <= 0x7fffffff;
const count: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const pid: Check = (value) => count(value) && (value as number) > 0 && (value as number) <= 0x7fffffff;
const range: Check = (value) => Array.isArray(value) && value.length === 2 && value.every(count);
const port: Check = (value) => count(value) && (value as number) <= 0xffff;
const counts: Check = (value) => isObject(value) && Object.values(value).every(count);
const error: Check = (value) => isObject(value) && text(value.code) && text(value.message);
const host: Check = (value) => value === null || text(value);
const generation = { generation: count };

const address: Check = (value) => {
  if (!isObject(value)) return false;
  if (value.kind === "unix") return text(value.path);
  if (value.kind === "udp")
    return (value.family === 4 || value.family === 6) && host(value.host) && port(value.port);
  return value.kind === "tcp" && host(value.host) && port(value.port);
};

/** Whether it is a record of descriptions as far as it is shown; whoever compares it reads it whole. */
export function isLockShown(value: unknown): boolean {
  if (!isObject(value) || !Array.isArray(value.descriptions)) return false;
  return value.descriptions.every((each) => isObject(each) && text(each.name) && count(each.versionId));
}

const lock: Check = isLockShown;

/** Figures are printed: those that are named have to be there, and all are numbers. */
const figures =
  (...names: readonly string[]): Check =>
  (value) =>
    isObject(value) &&
    names.every((name) => name in value) &&
    Object.entries(value).every(([name, figure]) =>
      name === "preCopy" ? Array.isArray(figure) : isNumber(figure),
    );
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);

/** By the messages' types. */
export const messageChecks = {
  listening: { required: { key: text, error: orNull(error) } },
  boot: { required: {} },
  prepare: { required: { ...generation, lock }, optional: { force: isTrue } },
  receive: { required: { ...generation, timeoutMs: milliseconds, versionIds: counts } },
  freeze: {
    required: { ...generation, quiesceMs: milliseconds, freezeMs: milliseconds },
    optional: { dropStalled: isTrue },
  },
  suspend: {
    required: { ...generation, quiesceMs: milliseconds, freezeMs: milliseconds, lock: orNull(lock) },
    optional: { detachedMs: milliseconds, dropStalled: isTrue },
  },
  cancel: { required: generation },
  save: { required: { path: text } },
  rehearse: { required: generation },
  verify: { required: generation },
  adopt: { required: {} },
  hello: { required: { protocol: range, pid } },
  adopted: { required: { protocol: range, pid, listeners: texts } },
  listen: { required: { key: text, address } },
  ready: { required: { lock, listeners: texts } },
  saved: { required: { error: orNull(error) } },
  serving: {
    required: { figures: orNull(figures("quiesceMs", "blackoutMs", "streamBytes")) },
    optional: { resumed: orNull(figures("loadMs", "streamBytes")) },
  },
  failed: { required: { error } },
  prepared: { required: { versionIds: counts }, since2: generation },
  progress: { required: { text }, since2: generation },
  rehearsed: { required: { streamBytes: count }, since2: generation },
  verified: { required: {}, since2: generation },
  receiving: { required: {}, since2: generation },
  refused: { required: { error }, since2: generation },
  thawed: { required: { error }, since2: generation },
  left: { required: { connections: count }, since2: generation },
  suspended: {
    required: { figures: figures("quiesceMs", "saveMs", "streamBytes", "folios", "connections") },
    since2: generation,
  },
} as const satisfies Readonly<Record<string, Members>>;

/** Why what a line says is no message of that version of the protocol; null when it is one. */
export function messageProblem(
  checks: Readonly<Record<string, Members>>,
  message: unknown,
  version: number,
): string | null {
  if (!isObject(message) || !("type" in message)) return "a message has no type";
  const { type } = message;
  if (typeof type !== "string" || !Object.hasOwn(checks, type)) return `unknown message ${asText(type)}`;
  const { required, optional = {}, since2 = {} } = checks[type]!;
  const wanted = version < 2 ? required : { ...required, ...since2 };
  for (const member of Object.keys(wanted))
    if (!Object.hasOwn(message, member)) return `${type} has no ${member}`;
  for (const [member, check] of Object.entries({ ...optional, ...since2, ...required })) {
    if (Object.hasOwn(message, member) && !check(message[member])) return `${type} has a wrong ${member}`;
  }
  return null;
}

/** What somebody sent is not repeated whole, and an object is not asked for its text: it may have a `toString` of its own. */
export function asText(value: unknown): string {
  return typeof value === "object" && value !== null ? "an object" : String(value).slice(0, 100);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
