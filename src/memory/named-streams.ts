import { KstateError } from "../error/index.ts";
import type { Folio } from "./folio.ts";
import { HANDOVER, type MemoryState } from "./layout.ts";
import type { OwnedMemory } from "./owned-memory.ts";
import type { PreservedTable } from "./preserved-table.ts";
import type { FolioRecord, StreamRecord } from "./table.ts";

/** What a stream is kept as. */
export interface KeptStream {
  readonly name: string;
  readonly length: number;
  readonly generation: number;
  readonly state: MemoryState;
}

/** Makes a folio the stream of a name, in the place of an earlier one, and `folios` all that is preserved beside. */
export function keepStream(
  owned: OwnedMemory,
  { address, order }: Folio,
  { name, length, generation, state }: KeptStream,
  folios: readonly FolioRecord[],
): void {
  const record: StreamRecord = { name, address: Number(address), order, length, generation };
  const before = owned.table.streams.find((stream) => stream.name === name);
  const streams = [...owned.table.streams.filter((stream) => stream !== before), record];
  const others = folios.filter((folio) => folio.address !== record.address);
  owned.commit({ streams, folios: others }, { state, generation });
  if (before !== undefined) owned.release(before);
}

/** Forgets a stream that is there, and gives its pages back. */
export function dropStream(owned: OwnedMemory, name: string): void {
  const record = owned.table.streams.find((stream) => stream.name === name)!;
  owned.commit({ ...owned.table, streams: owned.table.streams.filter((stream) => stream !== record) });
  owned.release(record);
}

/** After a commit or a cancel: RUNNING, without a handover stream; `keepAs` is the name that it gets instead. */
export function settleStreams(owned: OwnedMemory, keepAs?: string): void {
  const { streams, folios } = owned.table;
  const handover = streams.find(({ name }) => name === HANDOVER);
  const isKept = keepAs !== undefined && handover !== undefined;
  const left = streams.filter((stream) => stream !== handover && !(isKept && stream.name === keepAs));
  const kept = isKept ? [...left, { ...handover, name: keepAs }] : left;
  const gone = streams.filter((stream) => !left.includes(stream) && !(isKept && stream === handover));
  owned.commit({ folios, streams: kept }, { state: "RUNNING" });
  for (const stream of gone) owned.release(stream);
}

/** How often in a row a stream may be replaced while it is read. */
const MAX_REPLACED = 1000;

/** What `read` makes of a stream that was there from before the call until after it; undefined when there is none. */
export function readKept<T>(
  preserved: PreservedTable,
  name: string,
  read: (record: StreamRecord) => T,
): T | undefined {
  const find = (): StreamRecord | undefined =>
    preserved.read().streams.find((stream) => stream.name === name);
  let record = find();
  for (let replaced = 0; replaced <= MAX_REPLACED; replaced += 1) {
    if (record === undefined) return undefined;
    const attempt = tryTo(read, record);
    const after = find();
    if (isSame(record, after)) {
      if ("error" in attempt) throw attempt.error;
      return attempt.value;
    }
    record = after;
  }
  const message = `cannot read the stream ${name}: it was replaced ${MAX_REPLACED} times while it was read; try again`;
  throw new KstateError("MEMORY_BUSY", message, {});
}

function tryTo<T>(
  read: (record: StreamRecord) => T,
  record: StreamRecord,
): { readonly value: T } | { readonly error: unknown } {
  try {
    return { value: read(record) };
  } catch (error) {
    return { error };
  }
}

function isSame(a: StreamRecord, b: StreamRecord | undefined): boolean {
  return a.address === b?.address && a.length === b.length && a.generation === b.generation;
}
