import {
  type Description,
  type FieldModel,
  isDeprecated,
  isInVersion,
  type Kind,
  nestedFields,
  nestedKinds,
  someKind,
} from "../description/index.ts";
import { holds } from "./condition.ts";
import { storedValue } from "./stored-value.ts";
import { Trace } from "./trace.ts";

type Members = Record<string, unknown>;
type Fields = readonly FieldModel[];

/** Is told of each object of a section. `place` gives where it stands, if the walk keeps books of that. */
export interface Meeting {
  owned(fields: Fields, object: object, place: () => string): void;
  pointed(object: object, place: () => string): void;
}

interface Waiting {
  readonly description: Description;
  readonly state: object;
  readonly path: string;
}

/** Longer paths begin anew at the object that a reference leads to. */
const longestPath = 200;

/** Goes over the objects that a section was saved from: what is owned, and what is pointed to, each of those once. */
export class OwnershipWalk {
  readonly #versionOf: (description: Description) => number;
  readonly #meeting: Meeting;
  readonly #trace: Trace | undefined;
  readonly #place = () => String(this.#trace ?? "");
  readonly #pointed = new Map<Description, Set<object>>();
  readonly #waiting: Waiting[] = [];

  /** `path`: what the section is called, if places are wanted. */
  constructor(versionOf: (description: Description) => number, meeting: Meeting, path?: string) {
    this.#versionOf = versionOf;
    this.#meeting = meeting;
    if (path === undefined) return;
    this.#trace = new Trace("save");
    this.#trace.start(path);
  }

  run(section: Description, state: object): void {
    this.#object(section, state);
    for (let next = this.#waiting.pop(); next !== undefined; next = this.#waiting.pop()) {
      this.#trace?.start(next.path.length > longestPath ? next.description.name : next.path);
      this.#object(next.description, next.state);
    }
  }

  #object(description: Description, state: object): void {
    this.#fields(description.fields, this.#versionOf(description), state as Members);
    for (const subsection of description.subsections) {
      if (subsection.hooks.needed?.(state) !== false) this.#object(subsection, state);
    }
  }

  #fields(fields: Fields, versionId: number, object: Members): void {
    for (const field of leadingFields(fields)) {
      if (!isInVersion(field, versionId) || !isWritten(field, fields, versionId, object)) continue;
      this.#trace?.name(field.name);
      this.#value(field.kind, object[field.name], versionId);
      this.#trace?.pop();
    }
  }

  #value(kind: Kind, value: unknown, versionId: number): void {
    if (typeof value !== "object" || value === null) return;
    switch (kind.kind) {
      case "struct":
        this.#meeting.owned(kind.of().fields, value, this.#place);
        this.#object(kind.of(), value);
        break;
      case "record":
        this.#meeting.owned(kind.fields, value, this.#place);
        this.#fields(kind.fields, versionId, value as Members);
        break;
      case "oneOf":
        this.#variant(kind, value as Members, versionId);
        break;
      case "ref":
        this.#reference(kind.of(), value);
        break;
      case "pointer":
        this.#value(kind.element, isBare(kind.element) ? value : (value as Members).value, versionId);
        break;
      case "optional":
      case "equal":
        this.#value(kind.element, value, versionId);
        break;
      default:
        this.#elements(kind, value, versionId);
    }
  }

  #variant(kind: Extract<Kind, { kind: "oneOf" }>, value: Members, versionId: number): void {
    const fields = kind.variants.find(({ name }) => name === value[kind.tag])?.fields ?? [];
    this.#meeting.owned(fields, value, this.#place);
    this.#fields(fields, versionId, value);
  }

  #reference(description: Description, object: object): void {
    let known = this.#pointed.get(description);
    if (known === undefined) {
      known = new Set();
      this.#pointed.set(description, known);
    }
    if (known.has(object)) return;
    known.add(object);
    this.#meeting.pointed(object, this.#place);
    this.#waiting.push({ description, state: object, path: this.#place() });
  }

  #elements(kind: Kind, value: object, versionId: number): void {
    if (value instanceof Map) {
      if (kind.kind !== "map") return;
      const [hasKeys, hasValues] = [leads(kind.key), leads(kind.value)];
      for (const [key, element] of value) {
        this.#trace?.key(key);
        if (hasKeys) this.#value(kind.key, key, versionId);
        if (hasValues) this.#value(kind.value, element, versionId);
        this.#trace?.pop();
      }
      return;
    }
    if (!("element" in kind) || !(Array.isArray(value) || value instanceof Set)) return;
    let i = 0;
    for (const element of value as Iterable<unknown>) {
      this.#trace?.index(i++);
      this.#value(kind.element as Kind, element, versionId);
      this.#trace?.pop();
    }
  }
}

function isBare({ kind }: Kind): boolean {
  return kind === "struct" || kind === "record";
}

/** Whether a field's conditions hold, of fields that are there themselves. */
function isWritten(field: FieldModel, fields: Fields, versionId: number, object: Members): boolean {
  return field.conditions.every((condition) => {
    const subject = fields.find(({ name }) => name === condition.field);
    if (subject === undefined || !isInVersion(subject, versionId)) return false;
    if (!isWritten(subject, fields, versionId, object)) return false;
    return holds(condition, subject, storedValue(subject.kind, object[subject.name]));
  });
}

const leading = new WeakMap<Fields, Fields>();

/** Fields with objects inside. What a deprecated field writes is made for the stream, and is nobody's. */
function leadingFields(fields: Fields): Fields {
  let found = leading.get(fields);
  if (found === undefined) {
    found = fields.filter((field) => !isDeprecated(field) && leads(field.kind));
    leading.set(fields, found);
  }
  return found;
}

function leads(kind: Kind): boolean {
  return someKind(kind, (inner) => /^(struct|ref|record|oneOf)$/.test(inner.kind));
}

/** Lists of fields of what a kind owns, and descriptions that it points to, not looking into other descriptions. */
export function ownershipOf(kind: Kind): { readonly owned: Fields[]; readonly pointed: Description[] } {
  const owned: Fields[] = [...nestedFields(kind)];
  const pointed: Description[] = [];
  if (kind.kind === "struct") owned.push(...memberLists(kind.of()));
  if (kind.kind === "ref") pointed.push(kind.of());
  const own = nestedFields(kind).flat();
  const inside = [...nestedKinds(kind), ...own.map((field) => field.kind)];
  for (const nested of inside) {
    const found = ownershipOf(nested);
    owned.push(...found.owned);
    pointed.push(...found.pointed);
  }
  return { owned, pointed };
}

export function memberLists(description: Description): Fields[] {
  return [description.fields, ...description.subsections.flatMap(memberLists)];
}
