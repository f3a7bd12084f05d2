import type { AnyField, Description, Field } from "../../description/index.ts";
import { KstateError } from "../../error/index.ts";
import type { CollectionRecord } from "./collection-record.ts";
import { keyKindOf } from "./key.ts";
import { COLLECTION_VERSIONS, type KeyKind } from "./layout.ts";
import { type RowLayout, rowLayout } from "./row-layout.ts";

/** What a map holds. */
export interface MapOptions<K, V> {
  /** `string({ max })`, `blob({ max })` or an integer kind whose values are numbers. At most 64 KiB each. */
  readonly key: Field<K>;
  /** A description of fields of fixed size, or `blob({ max })`. */
  readonly value: Description<V> | Field<V>;
  /**
   * Bytes that entries may take, at least 65536; slots come on top, 12 to 30 bytes an entry. When they are used up, the
   * entry of a few chosen at random that was used longest ago makes room. The same when the memory is full. No bound
   * unless given.
   */
  readonly maxBytes?: number;
}

const LEAST_BYTES = 65_536;

/** Options that were found right. */
export interface MapParts {
  readonly keyKind: KeyKind;
  /** Of the values, unless they are bytes. */
  readonly layout: RowLayout | undefined;
  /** The longest value, if they are bytes. */
  readonly maxValueBytes: number;
}

/** Looks at a map's options; `DESCRIPTION_INVALID` when its key or its value cannot be kept in memory. */
export function mapParts<K, V>(name: string, { key, value, maxBytes }: MapOptions<K, V>): MapParts {
  const keyKind = keyKindOf(key as AnyField);
  if (keyKind === undefined) throw invalid(name, "key", "a key is string, blob or an integer of numbers");
  if (maxBytes !== undefined && !(maxBytes >= LEAST_BYTES)) {
    throw new RangeError(`maxBytes of the map ${name} has to be at least ${LEAST_BYTES}, not ${maxBytes}`);
  }
  if ("versionId" in value) return { keyKind, layout: rowLayout(value), maxValueBytes: 0 };
  const { kind } = value as AnyField;
  if (kind?.kind === "blob") return { keyKind, layout: undefined, maxValueBytes: kind.max };
  throw invalid(name, "value", "a value is a description or blob; put a single field into a description");
}

/** What another program has to know of a map that this one opens. */
export function mapRecord(name: string, { keyKind, layout }: MapParts): CollectionRecord {
  return { name, kind: "map", key: keyKind, layout: layout?.text ?? null, versions: COLLECTION_VERSIONS.map };
}

function invalid(name: string, field: string, problem: string): KstateError {
  return new KstateError("DESCRIPTION_INVALID", `cannot open the map ${name}: ${problem}`, {
    description: name,
    field,
    problem,
  });
}
