import {
  assertSameLayout,
  type Description,
  type DescriptionRecord,
  hasReferences,
  type LockRecord,
  lockTextHash,
  namesWithReferences,
  parseLockRecord,
  recordClosure,
} from "../description/index.ts";
import { KstateError } from "../error/index.ts";
import {
  type CodecChoice,
  type CodecUse,
  type Crc32,
  type EntryHeader,
  type EntryNote,
  newCodecUse,
  plainBytes,
  readBody,
  readTrailer,
  type StreamBody,
} from "../stream/index.ts";
import type { OwnLock } from "./own-lock.ts";

export interface SourceOptions {
  /** The stream has no trailer, or none that is looked at: a kernel's. False unless given. */
  readonly foreign?: boolean;
  /** Refuses a stream whose data has no checksum. False unless given. */
  readonly requireDataChecksum?: boolean;
}

/** What reading sections needs to know about where they are from. */
export interface SectionSource {
  readonly bytes: Uint8Array;
  readonly isForeign: boolean;
  /** Whether values of `bytes` and `blob` are views of the bytes. False unless given. */
  readonly isZeroCopy?: boolean;
  /** `auto` unless given. */
  readonly codec?: CodecChoice;
  readonly codecUse?: CodecUse;
  noteOf(entry: Pick<EntryHeader, "index">): EntryNote | undefined;
  assertLayout(description: Description, versionId: number): void;
  /** Whether the writer had references in a description, as far as it is known. */
  holdsReferences(description: Description): boolean;
}

/** A stream whose structure and checksums were verified, with what its writer says about it. */
export class Source implements SectionSource {
  readonly bytes: Uint8Array;
  readonly isForeign: boolean;
  readonly body: StreamBody;
  isZeroCopy = false;
  codec: CodecChoice = "auto";
  codecUse: CodecUse = newCodecUse();
  readonly #notes: readonly EntryNote[] | undefined;
  readonly #own: OwnLock;
  /** What the writer's descriptions were; undefined for a foreign stream. */
  readonly lock: LockRecord | undefined;
  readonly #writers: ReadonlyMap<string, DescriptionRecord> | undefined;
  #withReferences: ReadonlySet<string> | undefined;
  readonly #writersById: ReadonlyMap<number, DescriptionRecord> | undefined;

  /** `isRead` tells the ids whose sections are looked for: others may stand there as they like. All unless given. */
  constructor(
    bytes: Uint8Array,
    own: OwnLock,
    crc32: Crc32,
    options: SourceOptions,
    isRead?: (id: number) => boolean,
  ) {
    this.bytes = plainBytes(bytes);
    this.#own = own;
    this.isForeign = options.foreign === true;
    this.body = readBody(this.bytes, isRead);
    if (this.isForeign) return;
    const trailer = readTrailer(this.bytes, this.body, crc32);
    if (options.requireDataChecksum === true && !trailer.hasDataChecksum) throw checksumRequired();
    this.#notes = trailer.notes;
    const isSame = trailer.lock.hash === own.text.hash;
    this.lock = isSame ? own.record : readLock(trailer.lock.hash, trailer.lock.bytes);
    if (isSame) return;
    this.#writers = new Map(this.lock.descriptions.map((record) => [record.name, record]));
    this.#writersById = recordsById(this.lock);
  }

  /** What the trailer says about an entry. */
  noteOf(entry: Pick<EntryHeader, "index">): EntryNote | undefined {
    return this.#notes?.[entry.index];
  }

  /** The writer's records by name; empty for a foreign stream. */
  writers(): ReadonlyMap<string, DescriptionRecord> {
    if (this.lock === undefined) return new Map();
    return this.#writers ?? this.#own.byName;
  }

  /** The writer's record of a description; undefined if the writer did not know it, or nobody can tell. */
  writerOf(description: { readonly name: string }): DescriptionRecord | undefined {
    return this.writers().get(description.name);
  }

  /** Names of the writer's descriptions that hold references, themselves or in what they contain. */
  withReferences(): ReadonlySet<string> {
    this.#withReferences ??= namesWithReferences(this.writers().values());
    return this.#withReferences;
  }

  holdsReferences({ name }: Description): boolean {
    return !this.isForeign && (this.withReferences().has(name) || !this.writers().has(name));
  }

  /** Throws unless writer and reader mean the same bytes by that version. */
  assertLayout(description: Description, versionId: number): void {
    if (this.#writers === undefined) return;
    const writer = this.#writersById?.get(description.id) ?? this.#writers.get(description.name);
    assertLayout(description, versionId, writer, this.#own.byName.get(description.name)!);
  }
}

export function mayHoldReferences(name: string, writers: ReadonlyMap<string, DescriptionRecord>): boolean {
  const closure = recordClosure(name, writers);
  return closure.length === 0 || hasReferences(closure);
}

/** Throws unless writer and reader mean the same bytes by that version. */
export function assertLayout(
  description: Description,
  versionId: number,
  writer: DescriptionRecord | undefined,
  reader: DescriptionRecord,
): void {
  if (writer === undefined) {
    throw new KstateError(
      "STREAM_CORRUPT",
      `cannot load ${description.name}: the stream's lock record does not have it`,
      { path: description.name, description: "", offset: -1, expected: description.name, found: "nothing" },
    );
  }
  assertSameLayout(writer, reader, versionId);
}

/** In one stream an id stands for one description. */
function recordsById({ descriptions }: LockRecord): ReadonlyMap<number, DescriptionRecord> {
  const byId = new Map<number, DescriptionRecord>();
  for (const record of descriptions) {
    const other = byId.get(record.id);
    if (other !== undefined) {
      const [expected, found] = [
        "an id for each description",
        `${record.id} for ${other.name} and ${record.name}`,
      ];
      throw new KstateError(
        "STREAM_CORRUPT",
        `cannot load: the stream's lock record should have ${expected}, and has ${found}`,
        { path: "trailer.lock", description: "", offset: -1, expected, found },
      );
    }
    byId.set(record.id, record);
  }
  return byId;
}

function readLock(hash: string, bytes: Uint8Array): LockRecord {
  const copy = bytes.slice();
  const found = lockTextHash(copy);
  if (found !== hash) {
    throw new KstateError(
      "CHECKSUM_MISMATCH",
      `cannot load: the lock record's hash should be ${hash} and is ${found}`,
      { part: "lock", expected: hash, found },
    );
  }
  return parseLockRecord(new TextDecoder().decode(copy));
}

function checksumRequired(): KstateError {
  return new KstateError(
    "DATA_CHECKSUM_REQUIRED",
    "cannot load: the stream was saved without a data checksum; save it with dataChecksum: true",
    {},
  );
}
