/** Reads the fields of an entry by a lock record: the bytes of every kind are those of `stream/format.ts`. */

import type { DescriptionRecord, FieldRecord, KindRecord } from "../description/index.ts";
import { depthLimit, entryHeaderSize, holdsText, sectionType, subsectionType } from "../stream/index.ts";
import { type ByteWindow, Damage, Opaque } from "./byte-window.ts";
import type { CloseEvent, EntryHead, InspectEvent, LeafEvent, LeafValue, OpenEvent } from "./events.ts";
import { fixedSize, readLeaf } from "./walk-leaf.ts";
import type { Work } from "./work.ts";

/** A count that no description can mean, where elements take no bytes. */
const emptyElementLimit = 1_000_000;
/** How deep values are in each other, structs and all: as deep as the stack allows, and deeper than any program's are. */
const levelLimit = 1_000;

interface Waiting {
  readonly number: number;
  readonly of: string;
}

/** Values of the fields before, which conditions and counts look at. */
type Known = Map<string, { readonly kind: KindRecord; readonly value: LeafValue }>;

/** By what values are read. */
export interface ValueRecords {
  readonly records: ReadonlyMap<string, DescriptionRecord>;
  readonly byId: ReadonlyMap<number, DescriptionRecord>;
  readonly isForeign: boolean;
}

export class ValueWalker {
  readonly #in: ByteWindow;
  readonly #work: Work;
  readonly #records: ReadonlyMap<string, DescriptionRecord>;
  readonly #byId: ReadonlyMap<number, DescriptionRecord>;
  readonly #isForeign: boolean;
  #type = sectionType;
  #depth = 0;
  #level = 0;
  /** Numbers given in this section, and objects whose bodies come later. */
  #objects = 0;
  #waiting: Waiting[] = [];
  #isDraining = false;

  constructor(input: ByteWindow, work: Work, { records, byId, isForeign }: ValueRecords) {
    this.#in = input;
    this.#work = work;
    this.#records = records;
    this.#byId = byId;
    this.#isForeign = isForeign;
  }

  /** The data of a section or of one of its subsections, whose header was read. */
  *entry(record: DescriptionRecord, versionId: number, type: number): Generator<InspectEvent> {
    if (type === sectionType) this.#objects = 0;
    const numbers = this.#objects;
    this.#waiting = [];
    this.#isDraining = false;
    this.#type = type;
    this.#depth = 0;
    this.#level = 0;
    yield* this.#fields(record.fields, versionId, true);
    if (this.#in.left > 0)
      throw new Damage(this.#in.offset, `${this.#in.left} bytes are left after the last field`);
    if (type === subsectionType) this.#objects = numbers;
  }

  *#fields(fields: readonly FieldRecord[], versionId: number, isWhole: boolean): Generator<InspectEvent> {
    const known: Known = new Map();
    const present = this.#work.fieldsIn(fields, versionId, this.#in.offset);
    for (const [index, field] of present.entries()) {
      if (!(field.when ?? []).every((condition) => this.#isMet(condition, known))) continue;
      const rest = isWhole ? { fields: present, from: index + 1 } : undefined;
      yield* this.#value(field.kind, field.name, versionId, known, rest);
    }
  }

  #isMet(condition: ConditionRecord, known: Known): boolean {
    const { field, operator, value } = condition;
    const subject = known.get(field);
    const names = subject?.kind.names;
    this.#work.spend(1 + (value.length >> 3) + ((names?.length ?? 0) >> 3), this.#in.offset);
    return subject !== undefined && holdsText(operator, value, names, subject.value);
  }

  *#value(
    kind: KindRecord,
    segment: string,
    versionId: number,
    known: Known = new Map(),
    rest?: Rest,
  ): Generator<InspectEvent> {
    const { offset } = this.#in;
    this.#level += 1;
    this.#work.spend(1 + (this.#level >> 4), offset);
    if (this.#level > levelLimit)
      throw new Damage(offset, `values are deeper in each other than ${levelLimit}`);
    yield* this.#valueOf(kind, segment, versionId, known, rest);
    this.#level -= 1;
  }

  *#valueOf(
    kind: KindRecord,
    segment: string,
    versionId: number,
    known: Known,
    rest: Rest | undefined,
  ): Generator<InspectEvent> {
    const input = this.#in;
    switch (kind.kind) {
      case "pointer":
      case "equal":
        return yield* this.#value(kind.element!, segment, versionId, known, rest);
      case "optional":
        return yield* this.#optional(kind, segment, versionId);
      case "array":
        return yield* this.#elements(kind, segment, versionId, Number(kind.count), input.offset);
      case "pointerArray":
        return yield* this.#elements(kind, segment, versionId, countOf(kind, known), input.offset);
      case "list":
      case "set":
      case "typedArray":
        return yield* this.#list(kind, segment, versionId);
      case "map":
        return yield* this.#map(kind, segment, versionId);
      case "record": {
        yield open("record", segment, this.#kindName(kind, versionId), input.offset);
        yield* this.#fields(kind.fields ?? [], versionId, false);
        return yield close("record", input.offset);
      }
      case "oneOf":
        return yield* this.#variant(kind, segment, versionId);
      case "struct":
        return yield* this.#struct(kind, segment);
      case "ref":
        return void (yield* this.#reference(kind, segment, false));
      case "custom":
        return yield this.#custom(kind, segment, rest);
      default: {
        const leaf = this.#leaf(kind, segment);
        if (leaf.form === "value") known.set(segment, { kind, value: leaf.value });
        yield leaf;
      }
    }
  }

  #leaf(kind: KindRecord, segment: string): LeafEvent {
    const { offset } = this.#in;
    const leaf = readLeaf(this.#in, kind, segment, this.#work.kindText(kind, 0, offset), this.#isForeign);
    // a name is not among the bytes
    if (kind.kind === "enumeration") this.#work.spend(String(leaf.value).length >> 4, offset);
    return leaf;
  }

  #kindName(kind: KindRecord, versionId: number): string {
    const isLong = kind.kind === "record" || kind.kind === "oneOf";
    return isLong ? kind.kind : this.#work.kindText(kind, versionId, this.#in.offset);
  }

  *#optional(kind: KindRecord, segment: string, versionId: number): Generator<InspectEvent> {
    const offset = this.#in.offset;
    const flag = this.#in.u8();
    if (flag > 1) throw new Damage(offset, `0 (absent) or 1 is expected, not ${flag}`);
    if (flag === 1) {
      yield { type: "mark", what: `${segment} is there`, offset, size: 1 };
      yield* this.#value(kind.element!, segment, versionId);
    } else yield leafOf("value", segment, this.#kindName(kind, versionId), null, offset, 1);
  }

  *#list(kind: KindRecord, segment: string, versionId: number): Generator<InspectEvent> {
    if (kind.element?.kind === "struct") return yield* this.#group(kind.element.of!, segment, undefined);
    const offset = this.#in.offset;
    const count = this.#count(kind);
    yield { type: "mark", what: `${segment}: ${count} elements`, offset, size: 4 };
    yield* this.#elements(kind, segment, versionId, count, offset);
  }

  *#elements(
    kind: KindRecord,
    segment: string,
    versionId: number,
    count: number,
    offset: number,
  ): Generator<InspectEvent> {
    yield { ...open("list", segment, this.#kindName(kind, versionId), offset), count };
    for (let i = 0; i < count; i++) yield* this.#value(kind.element!, String(i), versionId);
    yield close("list", this.#in.offset);
  }

  *#map(kind: KindRecord, segment: string, versionId: number): Generator<InspectEvent> {
    const [key, value] = [kind.key!, kind.value!];
    if (value.kind === "struct") return yield* this.#group(value.of!, segment, key);
    const offset = this.#in.offset;
    const count = this.#count(kind);
    yield { type: "mark", what: `${segment}: ${count} entries`, offset, size: 4 };
    yield { ...open("map", segment, this.#kindName(kind, versionId), offset), count };
    for (let i = 0; i < count; i++) {
      const name = yield* this.#key(key, i);
      yield* this.#value(value, name, versionId);
    }
    yield close("map", this.#in.offset);
  }

  /** Gives how the entry is called. */
  *#key(kind: KindRecord, index: number): Generator<InspectEvent, string> {
    if (kind.kind === "ref") return yield* this.#reference(kind, `key ${index}`, true);
    const leaf = this.#leaf(kind, `key ${index}`);
    yield { ...leaf, form: "key" };
    return String(leaf.value);
  }

  #count(kind: KindRecord): number {
    const offset = this.#in.offset;
    const count = this.#in.u32();
    if (kind.max !== undefined && count > kind.max)
      throw new Damage(offset, `${count} is above the limit of ${kind.max}`);
    if (count > this.#in.left && count > emptyElementLimit)
      throw new Damage(offset, `${count} elements cannot be in ${this.#in.left} bytes`);
    return count;
  }

  *#variant(kind: KindRecord, segment: string, versionId: number): Generator<InspectEvent> {
    const offset = this.#in.offset;
    const index = this.#in.u16();
    const variant = kind.variants?.[index];
    if (variant === undefined)
      throw new Damage(offset, `there is no variant ${index} of ${kind.variants?.length ?? 0}`);
    this.#work.spend((variant.name.length + (kind.tag?.length ?? 0)) >> 4, offset);
    yield { type: "mark", what: `${segment} is ${variant.name}`, offset, size: 2 };
    const head = { variant: [kind.tag ?? "kind", variant.name] as const };
    yield { ...open("variant", segment, "oneOf", offset), ...head };
    yield* this.#fields(variant.fields, versionId, false);
    yield close("variant", this.#in.offset);
  }

  *#struct(kind: KindRecord, segment: string): Generator<InspectEvent> {
    const frame = yield* this.#enter(kind.of!, this.#type);
    yield { ...open("struct", segment, `struct(${kind.of})`, frame.head.offset), head: frame.head };
    yield* this.#fields(frame.record.fields, frame.head.versionId, false);
    while (this.#in.left > 0) yield* this.#subsection();
    this.#leave(frame);
    yield close("struct", this.#in.offset);
  }

  /** A subsection inside of a nested entry. */
  *#subsection(): Generator<InspectEvent> {
    const name = this.#nameAhead();
    const fork = this.#fork();
    const frame = yield* this.#enter(name, subsectionType);
    yield { ...open("subsection", name, "subsection", frame.head.offset), head: frame.head };
    yield* this.#fields(frame.record.fields, frame.head.versionId, false);
    this.#leave(frame);
    yield close("subsection", this.#in.offset);
    this.#join(fork);
  }

  /** The name that belongs to the id of the entry that comes. */
  #nameAhead(): string {
    const { offset } = this.#in;
    this.#in.skip(4);
    const id = this.#in.i32();
    this.#in.offset = offset;
    const found = this.#byId.get(id);
    if (found !== undefined) return found.name;
    throw new Damage(offset, `nobody knows the subsection with the id ${id}`);
  }

  /** Structs that share one header. */
  *#group(of: string, segment: string, key: KindRecord | undefined): Generator<InspectEvent> {
    const frame = yield* this.#enter(of, this.#type);
    const { versionId } = frame.head;
    const offset = this.#in.offset;
    const count = this.#count({ kind: "list" });
    yield { type: "mark", what: `${segment}: ${count} elements`, offset, size: 4 };
    yield {
      ...open("group", segment, key === undefined ? `list(${of})` : `map(${of})`, frame.head.offset),
      head: frame.head,
      count,
    };
    for (let i = 0; i < count; i++) {
      this.#work.spend(1, this.#in.offset);
      const name = key === undefined ? String(i) : yield* this.#key(key, i);
      yield open("element", name, of, this.#in.offset);
      yield* this.#fields(frame.record.fields, versionId, false);
      yield close("element", this.#in.offset);
    }
    while (this.#in.left > 0) yield* this.#column(count);
    this.#leave(frame);
    yield close("group", this.#in.offset);
  }

  /** One subsection of all structs of a group. */
  *#column(count: number): Generator<InspectEvent> {
    const name = this.#nameAhead();
    const fork = this.#fork();
    const frame = yield* this.#enter(name, subsectionType);
    yield { ...open("subsection", name, "subsection", frame.head.offset), head: frame.head, count };
    for (let i = 0; i < count; i++) {
      const offset = this.#in.offset;
      const flag = this.#in.u8();
      if (flag > 1) throw new Damage(offset, `0 (not needed) or 1 is expected, not ${flag}`);
      if (flag === 0) {
        yield leafOf("value", String(i), name, null, offset, 1);
        continue;
      }
      yield { type: "mark", what: `${name} of ${i} is there`, offset, size: 1 };
      yield open("element", String(i), name, this.#in.offset);
      yield* this.#fields(frame.record.fields, frame.head.versionId, false);
      yield close("element", this.#in.offset);
    }
    this.#leave(frame);
    yield close("subsection", this.#in.offset);
    this.#join(fork);
  }

  /** A number, and right behind it the bodies of the objects that were not there before. Gives the number as text. */
  *#reference(kind: KindRecord, segment: string, isKey: boolean): Generator<InspectEvent, string> {
    const { offset } = this.#in;
    const number = this.#in.u32();
    const name = `ref(${kind.of})`;
    if (number > this.#objects + 1)
      throw new Damage(offset, `a number up to ${this.#objects + 1} is expected, not ${number}`);
    const isNew = number === this.#objects + 1;
    if (isNew) {
      this.#objects += 1;
      this.#waiting.push({ number, of: kind.of! });
    }
    if (isNew && !this.#isDraining) {
      yield { ...open("reference", segment, name, offset), number, isKey };
      yield { type: "mark", what: `${segment}: object ${number}`, offset, size: 4 };
      yield* this.#drain();
      yield close("reference", this.#in.offset);
    } else {
      const form = isKey ? "key" : number === 0 ? "value" : "reference";
      yield leafOf(form, segment, name, number === 0 ? null : number, offset, 4);
    }
    return String(number);
  }

  *#drain(): Generator<InspectEvent> {
    this.#isDraining = true;
    const waiting = this.#waiting;
    for (let i = 0; i < waiting.length; i++) {
      const { number, of } = waiting[i]!;
      const frame = yield* this.#enter(of, this.#type);
      const opened = open("object", String(number), of, frame.head.offset);
      yield { ...opened, head: frame.head, number };
      yield* this.#fields(frame.record.fields, frame.head.versionId, false);
      while (this.#in.left > 0) yield* this.#subsection();
      this.#leave(frame);
      yield close("object", this.#in.offset);
    }
    this.#waiting = [];
    this.#isDraining = false;
  }

  /** A custom field ends where the fields of fixed sizes after it begin; without code nothing else is known of it. */
  #custom(kind: KindRecord, segment: string, rest: Rest | undefined): LeafEvent {
    const after = rest === undefined ? undefined : fixedSize(rest.fields, rest.from);
    const { offset, left } = this.#in;
    const name = `custom(${kind.format})`;
    if (after === undefined || after > left) throw new Opaque(offset, segment, name);
    const size = left - after;
    return leafOf("bytes", segment, name, null, this.#in.skip(size), size);
  }

  *#enter(of: string, type: number): Generator<InspectEvent, Frame> {
    const record = this.#records.get(of);
    if (record === undefined) throw new Damage(this.#in.offset, `nobody knows the description ${of}`);
    const { offset } = this.#in;
    const [found, id, versionId, instanceId, size] = [
      this.#in.i32(),
      this.#in.i32(),
      this.#in.i32(),
      this.#in.i32(),
      this.#in.i32(),
    ] as const;
    if (found !== type || id !== record.id)
      throw new Damage(
        offset,
        `an entry of ${of} (type ${type}, id ${record.id}) is expected, not type ${found}, id ${id}`,
      );
    if (size < 0 || size > this.#in.left)
      throw new Damage(offset + 16, `a size up to ${this.#in.left} is expected, not ${size}`);
    if (++this.#depth > depthLimit) throw new Damage(offset, `structs are nested deeper than ${depthLimit}`);
    yield {
      type: "mark",
      what: `${of}@${versionId}: type, id, version, instance, size`,
      offset,
      size: entryHeaderSize,
    };
    const outer = { end: this.#in.end, type: this.#type };
    this.#in.end = this.#in.offset + size;
    this.#type = type;
    const head = { name: of, id, versionId, instanceId, key: undefined, offset, size, carried: 0 };
    return { head, record, outer };
  }

  #leave({ outer }: Frame): void {
    const { left, offset } = this.#in;
    if (left > 0) throw new Damage(offset, `${left} bytes are left after the last field`);
    this.#in.end = outer.end;
    this.#type = outer.type;
    this.#depth -= 1;
  }

  #fork(): Fork {
    const fork = { objects: this.#objects, waiting: this.#waiting, isDraining: this.#isDraining };
    this.#waiting = [];
    this.#isDraining = false;
    return fork;
  }

  #join({ objects, waiting, isDraining }: Fork): void {
    this.#objects = objects;
    this.#waiting = waiting;
    this.#isDraining = isDraining;
  }
}

/** What stood when a subsection began: its numbers are forgotten at its end. */
interface Fork {
  readonly objects: number;
  readonly waiting: Waiting[];
  readonly isDraining: boolean;
}

type ConditionRecord = NonNullable<FieldRecord["when"]>[number];

/** The fields of an entry that come after one. */
interface Rest {
  readonly fields: readonly FieldRecord[];
  readonly from: number;
}

interface Frame {
  readonly head: EntryHead;
  readonly record: DescriptionRecord;
  readonly outer: { readonly end: number; readonly type: number };
}

function countOf({ count }: KindRecord, known: Known): number {
  if (typeof count === "number") return count;
  return Math.max(0, Number(known.get(count ?? "")?.value ?? 0));
}

function open(form: OpenEvent["form"], segment: string, kind: string, offset: number): OpenEvent {
  return { type: "open", form, segment, kind, offset };
}

function close(form: CloseEvent["form"], offset: number): CloseEvent {
  return { type: "close", form, offset };
}

function leafOf(
  form: LeafEvent["form"],
  segment: string,
  kind: string,
  value: LeafValue,
  offset: number,
  size: number,
): LeafEvent {
  return { type: "leaf", form, segment, kind, value, offset, size };
}
