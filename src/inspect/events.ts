/**
 * What the inspector finds, one thing after the other and never all at once: a stream may be larger than memory. Text,
 * JSON, hex dump and diff are made from the same events.
 */

/** The header of an entry. */
export interface EntryHead {
  /** Null if nobody knows: neither the trailer nor a lock file. */
  readonly name: string | null;
  readonly id: number;
  readonly versionId: number;
  readonly instanceId: number;
  /** The string key of the instance. */
  readonly key: string | undefined;
  /** Of the header, in the stream. */
  readonly offset: number;
  /** Of the data after it. */
  readonly size: number;
  /** How many saves carried it unread. */
  readonly carried: number;
}

/**
 * - `section`, `subsection`, `struct`: an entry with a header; `group` is one for all elements of a collection
 * - `element`: an object in a group; `object`: one that references point to, with its number
 * - `list`, `map`, `record`, `variant`
 * - `reference`: one that is met first, with the objects that stand right behind it
 */
export type OpenForm =
  | "section"
  | "subsection"
  | "struct"
  | "group"
  | "element"
  | "object"
  | "list"
  | "map"
  | "record"
  | "variant"
  | "reference";

export interface OpenEvent {
  readonly type: "open";
  readonly form: OpenForm;
  /** How it is called in a path: a name, an index, a key. */
  readonly segment: string;
  /** The kind as in the lock record: `list(u16)`. */
  readonly kind: string;
  readonly offset: number;
  readonly head?: EntryHead;
  readonly count?: number;
  /** The tag and the name of a variant. */
  readonly variant?: readonly [tag: string, name: string];
  /** The number of an object or a reference. */
  readonly number?: number;
  /** Whether a reference is the key of a map. */
  readonly isKey?: boolean;
}

export interface CloseEvent {
  readonly type: "close";
  readonly form: OpenForm;
  /** After it. */
  readonly offset: number;
}

/** A value without parts. `bytes` is not read: whoever wants them reads the source. */
export interface LeafEvent {
  readonly type: "leaf";
  readonly form: "value" | "bytes" | "key" | "reference" | "unused" | "raw";
  readonly segment: string;
  readonly kind: string;
  readonly value: LeafValue;
  readonly offset: number;
  readonly size: number;
}

export type LeafValue = number | bigint | string | boolean | null | Date | { readonly json: unknown };

/** Bytes that are no value: headers, counts, marks. */
export interface MarkEvent {
  readonly type: "mark";
  readonly what: string;
  readonly offset: number;
  readonly size: number;
}

/** The stream is not what it should be there. What follows inside of the same section is not shown. */
export interface DamageEvent {
  readonly type: "damage";
  readonly offset: number;
  readonly problem: string;
}

export type InspectEvent = OpenEvent | CloseEvent | LeafEvent | MarkEvent | DamageEvent;
