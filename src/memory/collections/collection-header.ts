import { KstateError } from "../../error/index.ts";
import { COLLECTION_KINDS, type CollectionKind, HEADER, KEY_KINDS, type KeyKind, MAP } from "./layout.ts";

interface Named {
  readonly name: string;
  readonly kind: CollectionKind;
  /** The layouts that the program can open. */
  readonly versions: readonly number[];
}

interface NamedMap extends Pick<Named, "name" | "kind"> {
  readonly key: KeyKind | null;
  readonly layout: string | null;
}

/** `COLLECTION_MISMATCH` unless what is there is a collection of that kind, in a layout that the program knows. */
export function assertSameKind(record: Named, words: Int32Array): void {
  if (words[HEADER.kind] !== COLLECTION_KINDS[record.kind])
    throw mismatch(record, "it is not a collection of that kind");
  const version = words[HEADER.version]!;
  if (record.versions.includes(version)) return;
  throw mismatch(
    record,
    `its layout is version ${version}, and that program knows ${record.versions.join(", ")}`,
  );
}

/** `COLLECTION_MISMATCH` unless what is there is a map with such keys and values. */
export function assertSameMap(record: NamedMap, words: Int32Array): void {
  if (words[MAP.key] !== KEY_KINDS[record.key!]) {
    const found = Object.entries(KEY_KINDS).find(([, number]) => number === words[MAP.key])?.[0];
    throw mismatch(record, `its keys are ${found ?? "unknown"}`);
  }
  const hasRows = record.layout !== null;
  if ((words[HEADER.layout] !== 0) === hasRows) return;
  throw mismatch(record, `its values are ${hasRows ? "blobs" : "rows of a description"}`);
}

function mismatch({ name, kind }: Pick<Named, "name" | "kind">, problem: string): KstateError {
  return new KstateError("COLLECTION_MISMATCH", `cannot open the ${kind} ${name}: ${problem}`, {
    collection: name,
    problem,
  });
}
