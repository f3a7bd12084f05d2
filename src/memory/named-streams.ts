import type { Folio } from "./folio.ts";
import { HANDOVER, type MemoryState } from "./layout.ts";
import type { OwnedMemory } from "./owned-memory.ts";
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
