/**
 * What a description consists of, as plain data. Everything that knows about state walks this model: save,
 * load, the lock record, the layout comparison, the inspector, the documentation.
 */

export type IntegerName = "u8" | "u16" | "u32" | "i8" | "i16" | "i32" | "u64.safe" | "i64.safe";
export type BigName = "u64" | "i64";
export type FloatName = "f32" | "f64";
export type ScalarName = IntegerName | BigName | FloatName | "bool";
/** Scalars whose arrays are typed arrays. */
export type TypedName = Exclude<ScalarName, "bool" | "u64.safe" | "i64.safe">;

/** The kinds of section "Kinds and their bytes"; the bytes of each are in `stream/format.ts`. */
export type Kind =
  | { readonly kind: ScalarName }
  | { readonly kind: "char"; readonly size: number; readonly lone?: LoneSurrogates }
  | { readonly kind: "bytes"; readonly size: number }
  | { readonly kind: "array"; readonly element: Kind; readonly count: number }
  | { readonly kind: "pointer"; readonly element: Kind }
  | { readonly kind: "struct"; readonly of: () => Description }
  | { readonly kind: "pointerArray"; readonly element: Kind; readonly count: number | string }
  | { readonly kind: "address"; readonly base: AddressBase }
  | { readonly kind: "folio" }
  | { readonly kind: "custom"; readonly format: string; readonly codec: CustomCodec<unknown> }
  | { readonly kind: "string"; readonly max: number; readonly lone?: LoneSurrogates }
  | { readonly kind: "blob"; readonly max: number }
  | { readonly kind: "typedArray"; readonly element: TypedName; readonly max: number }
  | { readonly kind: "optional"; readonly element: Kind }
  | { readonly kind: "list"; readonly element: Kind; readonly max: number }
  | { readonly kind: "set"; readonly element: Kind; readonly max: number }
  | { readonly kind: "map"; readonly key: Kind; readonly value: Kind; readonly max: number }
  | { readonly kind: "record"; readonly fields: readonly FieldModel[] }
  | { readonly kind: "oneOf"; readonly tag: string; readonly variants: readonly VariantModel[] }
  | { readonly kind: "enumeration"; readonly names: readonly string[] }
  | { readonly kind: "ref"; readonly of: () => Description }
  | { readonly kind: "bitmap"; readonly count: number }
  | { readonly kind: "date" }
  | { readonly kind: "deadline" }
  | { readonly kind: "equal"; readonly element: Kind }
  | { readonly kind: "unused"; readonly size: number }
  | { readonly kind: "json"; readonly max: number; readonly lossy?: true };

/** What a save does with a surrogate that is not part of a pair, which UTF-8 cannot say. */
export type LoneSurrogates = "refuse" | "replace";

/** How text is saved. */
export interface TextOptions {
  /**
   * What a save does with half of a character, a surrogate without its other half, which UTF-8 cannot say: `"refuse"`
   * (`VALUE_INVALID`), or `"replace"` it by U+FFFD, so that the text of one user does not bar an update. `"refuse"`
   * unless given. Nothing in the stream and nothing that versions compare depends on it.
   */
  readonly lone?: LoneSurrogates;
}

export type KindName = Kind["kind"];

/** One variant of `oneOf`: its name and its fields. */
export interface VariantModel {
  readonly name: string;
  readonly fields: readonly FieldModel[];
}

export type ConditionOperator = "==" | "!=" | "<" | "<=" | ">" | ">=";

/** `when("mode", "==", 2)`: the field is in the stream only if an earlier field of the same object says so. */
export interface Condition {
  readonly field: string;
  readonly operator: ConditionOperator;
  readonly value: number | bigint | string | boolean;
}

export interface Check {
  readonly predicate: (value: unknown) => boolean;
  readonly why: string;
}

/** One field of a description, a record or a variant. */
export interface FieldModel {
  readonly name: string;
  readonly kind: Kind;
  /** First and last version that has the field: 0 and Infinity unless said. */
  readonly since: number;
  readonly until: number;
  /** The declared default, made anew for each object. */
  readonly fallback: (() => unknown) | undefined;
  /** Earlier names of the field. */
  readonly was: readonly string[];
  /** What a deprecated field has when an older version is written. */
  readonly save: ((state: unknown) => unknown) | undefined;
  /** Receives a deprecated field when an older version is loaded. */
  readonly load: ((state: unknown, value: unknown) => void) | undefined;
  readonly checks: readonly Check[];
  readonly conditions: readonly Condition[];
}

/** A finding of `kstate check` that somebody has accepted. It counts again from the day after `expires`. */
export interface Waiver {
  /** Id of the rule: `limit-changed`. */
  readonly rule: string;
  /** The field, as the finding names it; all of the description unless given. */
  readonly field?: string;
  /** Who answers for it. */
  readonly owner: string;
  /** Its last day: `2027-01-31`. */
  readonly expires: string;
  readonly why: string;
}

/** What `postLoad` is told. */
export interface LoadInfo {
  /** How many saves passed the section on unread (carried) before this load; 0 is the ordinary case. */
  readonly carried: number;
}

export interface Hooks {
  readonly preSave: ((state: unknown) => void) | undefined;
  readonly postSave: ((state: unknown) => void) | undefined;
  readonly preLoad: ((state: unknown) => void) | undefined;
  readonly postLoad: ((state: unknown, versionId: number, info: LoadInfo) => void) | undefined;
  readonly needed: ((state: unknown) => boolean) | undefined;
  readonly block: ((state: unknown) => string | null | undefined) | undefined;
  readonly create: (() => object) | undefined;
}

/** The phantom member from which `StateOf` reads the type of the state. It never exists at run time. */
export declare const stateType: unique symbol;

/** What a state consists of: the kernel's `struct kstate_description`. Made by `defineState`. */
export interface Description<State = unknown> {
  readonly name: string;
  readonly id: number;
  /** The newest version; save writes it unless told otherwise. */
  readonly versionId: number;
  /** The oldest version that load understands. */
  readonly minVersionId: number;
  readonly fields: readonly FieldModel[];
  readonly subsections: readonly Description[];
  readonly hooks: Hooks;
  readonly checks: readonly Check[];
  /** Whose instances are loaded before; a function where the description is defined later. */
  readonly after: readonly (() => Description)[];
  readonly waivers: readonly Waiver[];
  /** `player@3`. */
  toString(): string;
  readonly [stateType]?: State;
}

/** A pointer to something that is not an object: loaded into what it points to. */
export interface Box<T> {
  value: T;
}

/** A power-of-two run of pages in physical memory. From a stream without its memory it has only the address. */
export interface Folio {
  /** Offset in physical memory, in bytes. */
  readonly address: bigint;
}

/** What an `address` is relative to. Both sides compare the name; the value may differ between programs. */
export interface AddressBase {
  readonly name: string;
  /** The base in this program. */
  readonly at: bigint | (() => bigint);
}

/** Bounded writing for `custom`. Every method appends little endian bytes. */
export interface CustomWriter {
  u8(value: number): void;
  u16(value: number): void;
  u32(value: number): void;
  i32(value: number): void;
  u64(value: bigint): void;
  i64(value: bigint): void;
  f32(value: number): void;
  f64(value: number): void;
  bytes(value: Uint8Array): void;
  /** u32 byte length, UTF-8. */
  string(value: string): void;
}

/** Bounded reading for `custom`. Every method throws `STREAM_TRUNCATED` rather than read past the entry. */
export interface CustomReader {
  /** Bytes left in the enclosing entry. */
  readonly left: number;
  u8(): number;
  u16(): number;
  u32(): number;
  i32(): number;
  u64(): bigint;
  i64(): bigint;
  f32(): number;
  f64(): number;
  /** A copy of the next `size` bytes. */
  bytes(size: number): Uint8Array;
  /** Passes over `size` bytes. */
  skip(size: number): void;
  /** u32 byte length, UTF-8; longer than `max` bytes is an error. */
  string(max: number): string;
  /** Refuses the stream: `expected` and `found` appear in the message. */
  fail(expected: string, found: string): never;
}

/** How a `custom` field is written and read. `load` gives the value and must not change anything else. */
export interface CustomCodec<T> {
  save(value: T, writer: CustomWriter): void;
  load(reader: CustomReader): T;
  /** Passes over the field when nobody wants it; `load` unless given. */
  skip?(reader: CustomReader): void;
  /** The value of a created object's field that was not in the stream; undefined unless given. */
  zero?(): T;
}
