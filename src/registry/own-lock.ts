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
  const record = lockRecord(descriptions);
  return {
    record,
    text: { hash: lockHash(record), bytes: new TextEncoder().encode(lockText(record)) },
    byName: new Map(record.descriptions.map((own) => [own.name, own])),
  };
}
