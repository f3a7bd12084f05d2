import {
  type Description,
  type DescriptionRecord,
  type LockRecord,
  lockHash,
  lockRecord,
  lockText,
} from "../description/index.ts";
import type { LockText } from "../stream/index.ts";

/** The lock record of a program's own descriptions in the forms that save and load need, made beforehand. */
export interface OwnLock {
  readonly record: LockRecord;
  readonly text: LockText;
  readonly byName: ReadonlyMap<string, DescriptionRecord>;
}

export function ownLock(descriptions: Iterable<Description>): OwnLock {
  return formsOf(lockRecord(descriptions));
}

/**
 * The record with those of what is carried. Where both have a description, the newer record stands: it knows the
 * older versions' fields as well.
 */
export function withCarried(own: OwnLock, carried: Iterable<DescriptionRecord>): OwnLock {
  const records = new Map<string, DescriptionRecord>();
  for (const record of carried) records.set(record.name, record);
  for (const record of own.record.descriptions) {
    const other = records.get(record.name);
    if (other === undefined || other.versionId <= record.versionId) records.set(record.name, record);
  }
  const sorted = [...records.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  return formsOf({ format: 1, descriptions: sorted });
}

function formsOf(record: LockRecord): OwnLock {
  return {
    record,
    text: { hash: lockHash(record), bytes: new TextEncoder().encode(lockText(record)) },
    byName: new Map(record.descriptions.map((own) => [own.name, own])),
  };
}
