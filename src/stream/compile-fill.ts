/**
 * Generates `fill`: the second pass, over bytes that were checked. Functions for a list of fields come in three forms:
 * `make` gives a new object, from one literal where nobody wants to see it before; `set` fills an object that was just
 * made; `into` fills one that has values, re-using what it holds.
 *
 * Where the fields have a fixed size they stand at `p`, and the caller goes on; otherwise the closure's `P` says where
 * they begin and, afterwards, where they end.
 */

import {
  type Description,
  type FieldModel,
  isDeprecated,
  isInVersion,
  type Kind,
  someKind,
} from "../description/index.ts";
import { markedFill } from "./compile-marks.ts";
import { fieldsSize, fixedSize, presentFields, type VersionOf } from "./compile-plan.ts";
import { conditionText, countText, type Subjects, subjectsOf } from "./compile-subjects.ts";
import { at, member, type UnitText } from "./compile-text.ts";
import { entryHeaderSize } from "./format.ts";
import { isTypedName } from "./typed.ts";
import { isBare, zeroOf } from "./zero.ts";

type Of<Name extends Kind["kind"]> = Extract<Kind, { readonly kind: Name }>;
type Form = "make" | "set" | "into";

/** What surrounds a value: the version of its record, the description, fields that were read already. */
interface Around {
  readonly versionId: number;
  readonly description: Description;
  readonly subjects: Subjects;
}

/** Statements that pass over a value at `p`. */
type Skip = (kind: Kind, versionId: number, subjects: Subjects) => string;

const none: Subjects = new Map();

export class FillGenerator {
  readonly #text: UnitText;
  readonly #versionOf: VersionOf;
  #skip: Skip | undefined;
  #root: Description | undefined;

  constructor(text: UnitText, versionOf: VersionOf) {
    this.#text = text;
    this.#versionOf = versionOf;
  }

  skipWith(skip: Skip): void {
    this.#skip = skip;
  }

  main(root: Description): string {
    this.#root = root;
    const [set, into] = (["set", "into"] as const).map((form) => this.#call(form, root, "o"));
    return `function fill(bytes,view,p,o,isNew,applier,checked){B=bytes;V=view;P=p;A=applier;meetOne=nothing;distinct=k0.distinct;begin();customs=checked;
try{const b=B,v=V;if(isNew){${set}}else{${into}}}finally{end();}}`;
  }

  /** Fills the variable `o` from `p`, which nobody needs afterwards. */
  #call(form: "set" | "into", description: Description, o: string): string {
    const around = this.#aroundOf(description);
    const fn = this.#fields(form, description.fields, around);
    return this.#size(description.fields, around) === undefined ? `${fn}(${o});` : `${fn}(${o},p,v,b);`;
  }

  /** Statements that read one value for whoever checks it; `x` is declared. */
  readAt(kind: Kind, x: string, p: string, versionId: number): string {
    const around = { versionId, description: this.#root!, subjects: none };
    return fixedSize(kind, versionId, this.#versionOf) === undefined
      ? `P=${p};${this.#variable(kind, x, "", around)}`
      : this.#fixed(kind, x, p, "", around);
  }

  #aroundOf(description: Description): Around {
    return { versionId: this.#versionOf(description), description, subjects: none };
  }

  #size(fields: readonly FieldModel[], { versionId }: Around): number | undefined {
    return fieldsSize(fields, versionId, this.#versionOf);
  }

  /** The function of a form for these fields. */
  #fields(form: Form, fields: readonly FieldModel[], around: Around, tag = ""): string {
    const key = `${form}${this.#text.id(fields)}_${around.versionId}_${this.#text.id(around.description)}`;
    return this.#text.named(key, (name) => {
      const isFixed = this.#size(fields, around) !== undefined;
      const isLiteral = form === "make" && !this.#needsObjectFirst(fields, around);
      const parameters = [...(form === "make" ? [] : ["o"]), ...(isFixed ? ["p", "v", "b"] : [])].join(",");
      const start = isFixed ? "" : "const v=V,b=B;let p=P;";
      const end = isFixed ? "" : "P=p;";
      if (isLiteral) {
        const { code, members } = this.#literal(fields, around);
        return `function ${name}(${parameters}){${start}${code}${end}return {${[tag, ...members].filter((part) => part !== "").join(",")}};}`;
      }
      const object = form === "make" ? `const o=${tag === "" ? this.#blank([fields]) : `{${tag}}`};` : "";
      const existing = form === "into" ? "into" : "set";
      return `function ${name}(${parameters}){${start}${object}${this.#assign(existing, fields, around)}${end}${form === "make" ? "return o;" : ""}}`;
    });
  }

  #needsObjectFirst(fields: readonly FieldModel[], { versionId }: Around): boolean {
    return fields.some(
      (field) => isDeprecated(field) && field.load !== undefined && isInVersion(field, versionId),
    );
  }

  /** An object with its members in their order, so that it has its final shape from the beginning. */
  #blank(lists: readonly (readonly FieldModel[])[]): string {
    const members = lists
      .flat()
      .filter((field) => !isDeprecated(field) && field.kind.kind !== "unused")
      .map((field) => `${JSON.stringify(field.name)}:${placeholder(field.kind)}`);
    return `{${members.join(",")}}`;
  }

  #literal(fields: readonly FieldModel[], around: Around): { code: string; members: string[] } {
    const members: string[] = [];
    const code = this.#walk(fields, around, (field, read) => {
      if (isDeprecated(field)) return read === undefined ? "" : read("", "");
      const x = this.#text.fresh();
      members.push(`${JSON.stringify(field.name)}:${x}`);
      if (read === undefined) return `const ${x}=${this.#initial(field)};`;
      const otherwise = field.conditions.length > 0 ? `else ${x}=${this.#initial(field)};` : "";
      return `let ${x};${read(x, "")}${otherwise}`;
    });
    return { code, members };
  }

  #assign(form: "set" | "into", fields: readonly FieldModel[], around: Around): string {
    return this.#walk(fields, around, (field, read) => {
      if (isDeprecated(field)) return this.#handOver(field, read, around);
      const place = `o${member(field.name)}`;
      if (read === undefined) return this.#absent(form, field, around);
      const existing = form === "into" && isReused(field.kind) ? place : "";
      const otherwise = field.conditions.length > 0 ? `else{${this.#absent(form, field, around)}}` : "";
      const x = this.#text.fresh();
      if (form === "into" && field.kind.kind === "equal") {
        const description = this.#text.constant(around.description);
        const compare = `if(${place}===undefined)${place}=${x};else A.assertEqual(${description},${JSON.stringify(field.name)},${place},${x});`;
        return `{let ${x};${read(x, "", compare)}${otherwise}}`;
      }
      return `{let ${x};${read(x, existing, `${place}=${x};`)}${otherwise}}`;
    });
  }

  #handOver(
    field: FieldModel,
    read: ((x: string, existing: string, more?: string) => string) | undefined,
    { description }: Around,
  ): string {
    if (read === undefined) return "";
    if (field.load === undefined) return read("", "");
    const x = this.#text.fresh();
    const [load, known] = [field.load, description].map((value) => this.#text.constant(value));
    return `{let ${x};${read(x, "", `later(${load},${known},o,${x});`)}}`;
  }

  #initial(field: FieldModel): string {
    if (field.fallback !== undefined) return `${this.#text.constant(field.fallback)}()`;
    const zero = zeroOf(field.kind.kind === "struct" ? { kind: "u8" } : field.kind);
    if (field.kind.kind !== "struct" && (typeof zero !== "object" || zero === null)) {
      if (typeof zero === "bigint")
        return field.kind.kind === "address" ? this.#zero(field.kind) : `${zero}n`;
      return zero === undefined ? "undefined" : JSON.stringify(zero);
    }
    return this.#zero(field.kind);
  }

  #zero(kind: Kind): string {
    return `zeroOf(${this.#text.constant(kind)})`;
  }

  #absent(form: "set" | "into", field: FieldModel, { description }: Around): string {
    const place = `o${member(field.name)}`;
    if (form === "set" || field.fallback !== undefined) return `${place}=${this.#initial(field)};`;
    return `if(${place}===undefined)${place}=${this.#initial(field)};else A.keep(${this.#text.constant(description)},${JSON.stringify(field.name)});`;
  }

  /**
   * Goes over the fields in order. `each` gets a function that makes the statements reading a field into `x`, then
   * `more`; undefined if the field is not in the version. An empty `x` passes over it.
   */
  #walk(
    fields: readonly FieldModel[],
    around: Around,
    each: (
      field: FieldModel,
      read: ((x: string, existing: string, more?: string) => string) | undefined,
    ) => string,
  ): string {
    const { versionId } = around;
    const subjects = subjectsOf(fields, versionId, () => this.#text.fresh("w"));
    const inner = { ...around, subjects };
    const isFixed = this.#size(fields, around) !== undefined;
    let code = [...subjects.values()].map((name) => `let ${name};`).join("");
    let offset = 0;
    for (const field of fields) {
      if (field.kind.kind === "unused") {
        if (!isInVersion(field, versionId)) continue;
        const skip = `p+=${field.kind.size};`;
        if (isFixed) offset += field.kind.size;
        else
          code +=
            field.conditions.length > 0 ? `${conditionText(this.#text, field, subjects)}{${skip}}` : skip;
        continue;
      }
      if (!isInVersion(field, versionId)) {
        code += each(field, undefined);
        continue;
      }
      const place = at("p", offset);
      const size = fixedSize(field.kind, versionId, this.#versionOf);
      code += each(field, (x, existing, more = "") => {
        const subject = subjects.get(field);
        const target = x === "" && subject !== undefined ? subject : x;
        const copy = subject === undefined || target === subject ? "" : `${subject}=${x};`;
        const condition = conditionText(this.#text, field, subjects);
        const body = this.#read(field.kind, target, existing, inner, isFixed ? place : undefined);
        return condition === "" ? `${body}${copy}${more}` : `${condition}{${body}${copy}${more}}`;
      });
      if (isFixed) offset += size!;
    }
    return code;
  }

  /** Reads at `place`, or at `p`, which is then moved on. */
  #read(kind: Kind, x: string, existing: string, around: Around, place: string | undefined): string {
    if (place !== undefined) return x === "" ? "" : this.#fixed(kind, x, place, existing, around);
    const size = fixedSize(kind, around.versionId, this.#versionOf);
    if (size !== undefined) {
      return `${x === "" ? "" : this.#fixed(kind, x, "p", existing, around)}p+=${size};`;
    }
    if (x === "") return this.#skip!(kind, around.versionId, around.subjects);
    return `P=p;${this.#variable(kind, x, existing, around)}p=P;`;
  }

  /** `x = ` what stands at `p`; its size is known. */
  #fixed(kind: Kind, x: string, p: string, existing: string, around: Around): string {
    const scalar = this.#scalar(kind, p);
    if (scalar !== undefined) return `${x}=${scalar};`;
    switch (kind.kind) {
      case "bytes":
        return `${x}=bytesAt(b,${p},${kind.size},${existing || "undefined"});`;
      case "bitmap":
        return `${x}=bytesAt(b,${p},${Math.ceil(kind.count / 8)},${existing || "undefined"});`;
      case "array":
      case "pointerArray": {
        if (kind.kind === "array" && isTypedName(kind.element.kind)) {
          return `${x}=typedAt(${JSON.stringify(kind.element.kind)},b,${p},${kind.count},${existing || "undefined"});`;
        }
        return this.#fixedList(kind.element, String(kind.count), x, p, existing, around);
      }
      case "pointer":
        return this.#pointer(kind, x, existing, (y, inner) => this.#fixed(kind.element, y, p, inner, around));
      case "equal":
        return this.#fixed(kind.element, x, p, existing, around);
      case "record":
        return this.#object(x, existing, (form, o) => this.#callFixed(form, kind.fields, around, o, p));
      case "struct":
        return this.#struct(kind.of(), x, existing, p);
      default:
        throw new Error(`${kind.kind} has no fixed size`);
    }
  }

  #callFixed(form: Form, fields: readonly FieldModel[], around: Around, o: string, p: string): string {
    const fn = this.#fields(form, fields, around);
    return form === "make" ? `${fn}(${p},v,b)` : `${fn}(${o},${p},v,b)`;
  }

  /** An expression for what stands at `p`, for values that are not filled in. */
  #scalar(kind: Kind, p: string): string | undefined {
    switch (kind.kind) {
      case "u8":
        return `b[${p}]`;
      case "i8":
        return `v.getInt8(${p})`;
      case "u16":
        return `v.getUint16(${p},true)`;
      case "i16":
        return `v.getInt16(${p},true)`;
      case "u32":
        return `v.getUint32(${p},true)`;
      case "i32":
        return `v.getInt32(${p},true)`;
      case "u64":
        return `v.getBigUint64(${p},true)`;
      case "i64":
        return `v.getBigInt64(${p},true)`;
      case "u64.safe":
        return `v.getUint32(${p}+4,true)*4294967296+v.getUint32(${p},true)`;
      case "i64.safe":
      case "deadline":
        return safe(p);
      case "f32":
        return `v.getFloat32(${p},true)`;
      case "f64":
        return `v.getFloat64(${p},true)`;
      case "bool":
        return `b[${p}]===1`;
      case "char":
        return `charAt(b,${p},${kind.size})`;
      case "enumeration":
        return `${this.#text.constant(kind.names)}[v.getUint16(${p},true)]`;
      case "date":
        return `new Date(${safe(p)})`;
      case "address":
        return `v.getBigUint64(${p},true)+baseOf(${this.#text.constant(kind.base)})`;
      case "folio":
        return `A.folioAt(v.getBigUint64(${p},true))`;
      default:
        return undefined;
    }
  }

  /** `x = ` an object: the one that is there if nothing else of the stream was put into it, else a new one. */
  #object(x: string, existing: string, call: (form: Form, o: string) => string): string {
    if (existing === "") return `${x}=${call("make", "")};`;
    const y = this.#text.fresh();
    return `{const ${y}=${existing};if(claim(${y})){${call("into", y)};${x}=${y};}else ${x}=${call("make", "")};}`;
  }

  #pointer(
    { element }: Of<"pointer">,
    x: string,
    existing: string,
    read: (y: string, existing: string) => string,
  ): string {
    if (isBare(element)) return read(x, existing);
    const [y, box] = [this.#text.fresh(), this.#text.fresh()];
    const make = `let ${y};${read(y, "")}${x}={value:${y}};`;
    if (existing === "") return `{${make}}`;
    const inner = isReused(element) ? `${box}.value` : "";
    return `{const ${box}=${existing};if(typeof ${box}!=="object"||${box}===null){${make}}else{let ${y};${read(y, inner)}${box}.value=${y};${x}=${box};}}`;
  }

  #fixedList(element: Kind, n: string, x: string, p: string, existing: string, around: Around): string {
    const size = fixedSize(element, around.versionId, this.#versionOf)!;
    const q = this.#text.fresh("q");
    const read = (y: string, old: string) => this.#fixed(element, y, q, old, around);
    return `{let ${q}=${p};${this.#elements(element, n, x, existing, around, read, `${q}+=${size};`)}}`;
  }

  /** `x = ` an array of `n` elements, each read by `read`, then `next`. */
  #elements(
    element: Kind,
    n: string,
    x: string,
    existing: string,
    around: Around,
    read: (y: string, existing: string) => string,
    next: string,
  ): string {
    const [i, y, list] = ["i", "t", "a"].map((prefix) => this.#text.fresh(prefix)) as [
      string,
      string,
      string,
    ];
    const make = `const ${list}=newList(${n});for(let ${i}=0;${i}<${n};${i}++){let ${y};${read(y, "")}${next}${list}[${i}]=${y};}${x}=${list};`;
    if (existing === "") return make;
    const marked =
      next === "" ? "" : this.#markedElements(element, { n, list, i, p: next.split("+=")[0]! }, around);
    const old = isReused(element) ? `(${i}<${list}.length?${list}[${i}]:undefined)` : "";
    const rest = `for(;${i}<${n};${i}++){let ${y};${read(y, old)}${next}${list}[${i}]=${y};}`;
    return `if(!Array.isArray(${existing})){${make}}else{const ${list}=${existing};let ${i}=0;${marked}${rest}${list}.length=${n};${x}=${list};}`;
  }

  /** Fills what objects there are, and are there once, before the others are looked at one by one. */
  #markedElements(
    element: Kind,
    names: { readonly n: string; readonly list: string; readonly i: string; readonly p: string },
    around: Around,
  ): string {
    if (element.kind !== "record" || element.fields.some(({ kind }) => holdsObjects(kind))) return "";
    const { fields } = element;
    const { versionId } = around;
    const size = this.#size(fields, around);
    if (size === undefined) return "";
    const into = this.#fields("into", fields, around);
    return (
      markedFill(this.#text, {
        ...names,
        fields,
        versionId,
        size,
        offsetOf: (field) =>
          this.#size(presentFields(fields.slice(0, fields.indexOf(field)), versionId), around)!,
        scalar: (kind, p) => this.#scalar(kind, p)!,
        into: (y) => `${into}(${y},${names.p},v,b);`,
      }) ?? ""
    );
  }

  /** `x = ` what begins at `P`; `P` is moved behind it. */
  #variable(kind: Kind, x: string, existing: string, around: Around): string {
    const { versionId } = around;
    const size = fixedSize(kind, versionId, this.#versionOf);
    const old = existing || "undefined";
    if (size !== undefined) {
      return `{const p=P;${this.#fixed(kind, x, "p", existing, around)}P+=${size};}`;
    }
    switch (kind.kind) {
      case "string":
        return `${x}=text();`;
      case "json":
        return `${x}=JSON.parse(text());`;
      case "blob":
        return `${x}=blob(${old});`;
      case "typedArray":
        return `${x}=typed(${JSON.stringify(kind.element)},${old});`;
      case "custom":
        return `${x}=customValue();`;
      case "optional":
        return `if(B[P++]===0)${x}=null;else{${this.#variable(kind.element, x, existing, around)}}`;
      case "pointer":
        return this.#pointer(kind, x, existing, (y, inner) => this.#variable(kind.element, y, inner, around));
      case "equal":
        return this.#variable(kind.element, x, existing, around);
      case "array":
        if (isTypedName(kind.element.kind)) {
          return `${x}=typedAt(${JSON.stringify(kind.element.kind)},B,P,${kind.count},${old});P+=${x}.byteLength;`;
        }
        return this.#list(kind.element, String(kind.count), x, existing, around);
      case "pointerArray": {
        const n =
          typeof kind.count === "number" ? String(kind.count) : countText(kind.count, around.subjects);
        return this.#list(kind.element, n, x, existing, around);
      }
      case "record":
        return this.#object(x, existing, (form, o) => `${this.#fields(form, kind.fields, around)}(${o})`);
      case "struct":
        return this.#struct(kind.of(), x, existing, undefined);
      case "list":
        return this.#counted(
          kind.element,
          (element, n) => this.#list(element, n, x, existing, around, true),
          around,
        );
      case "set":
        return this.#set(kind, x, existing, around);
      case "map":
        return this.#map(kind, x, existing, around);
      case "oneOf":
        return this.#oneOf(kind, x, existing, around);
      case "ref":
        return `${x}=${this.#refFunction(kind.of())}(${old});`;
      default:
        throw new Error(`${kind.kind} cannot be filled in`);
    }
  }

  /** Reads the count, and the header before it if the elements are structs. */
  #counted(element: Kind, read: (element: Kind, n: string) => string, around: Around): string {
    void around;
    const n = this.#text.fresh("n");
    const header = element.kind === "struct" ? `P+=${entryHeaderSize};` : "";
    return `{${header}const ${n}=V.getUint32(P,true);P+=4;${read(element, n)}}`;
  }

  /** `isGroup`: structs have no headers of their own. */
  #list(element: Kind, n: string, x: string, existing: string, around: Around, isGroup = false): string {
    const size = isGroup
      ? this.#elementSize(element, around)
      : fixedSize(element, around.versionId, this.#versionOf);
    if (size === undefined) {
      const read = (y: string, old: string) =>
        isGroup ? this.#element(element, y, old, around) : this.#variable(element, y, old, around);
      return `{let p=P;const v=V,b=B;${this.#elements(element, n, x, existing, around, (y, old) => `P=p;${read(y, old)}p=P;`, "")}P=p;}`;
    }
    const read = (y: string, old: string) =>
      isGroup ? this.#elementFixed(element, y, old, around) : this.#fixed(element, y, "p", old, around);
    return `{let p=P;const v=V,b=B;${this.#elements(element, n, x, existing, around, read, `p+=${size};`)}P=p;}`;
  }

  /** Structs in a group have no headers of their own. */
  #elementSize(element: Kind, around: Around): number | undefined {
    if (element.kind !== "struct") return fixedSize(element, around.versionId, this.#versionOf);
    const description = element.of();
    return fieldsSize(description.fields, this.#versionOf(description), this.#versionOf);
  }

  #elementFixed(element: Kind, x: string, existing: string, around: Around): string {
    if (element.kind !== "struct") return this.#fixed(element, x, "p", existing, around);
    return this.#groupElement(element.of(), x, existing);
  }

  #element(element: Kind, x: string, existing: string, around: Around): string {
    if (element.kind !== "struct") return this.#variable(element, x, existing, around);
    return this.#groupElement(element.of(), x, existing);
  }

  /** Fixed ones stand at `p`, others at `P`. */
  #groupElement(description: Description, x: string, existing: string): string {
    const fixed = this.#elementSize({ kind: "struct", of: () => description }, this.#aroundOf(description));
    const place = fixed === undefined ? undefined : "p";
    return this.#object(x, existing, (form, o) => this.#bodyCall(form, description, o, place));
  }

  #set(kind: Of<"set">, x: string, existing: string, around: Around): string {
    const { element } = kind;
    const [set, before, i, y] = ["s", "a", "i", "t"].map((prefix) => this.#text.fresh(prefix)) as [
      string,
      string,
      string,
      string,
    ];
    const read = (old: string) => this.#anyElement(element, y, old, around);
    return this.#counted(
      element,
      (_, n) => {
        const fresh = `${set}=new Set();for(let ${i}=0;${i}<${n};${i}++){let ${y};${read("")}${set}.add(${y});}`;
        if (existing === "") return `let ${set};${fresh}${x}=${set};`;
        const old = isReused(element) ? `${before}[${i}]` : "";
        const copy = isReused(element) ? `const ${before}=[...${set}];` : "";
        return `let ${set}=${existing};if(${set} instanceof Set){${copy}${set}.clear();for(let ${i}=0;${i}<${n};${i}++){let ${y};${read(old)}${set}.add(${y});}}else{${fresh}}${x}=${set};`;
      },
      around,
    );
  }

  /** An element at `P`, whatever its size. */
  #anyElement(element: Kind, x: string, existing: string, around: Around): string {
    const size = this.#elementSize(element, around);
    return size === undefined
      ? this.#element(element, x, existing, around)
      : `{const p=P,v=V,b=B;${this.#elementFixed(element, x, existing, around)}P+=${size};}`;
  }

  #map(kind: Of<"map">, x: string, existing: string, around: Around): string {
    const { key, value } = kind;
    const [map, before, i, k, y] = ["s", "a", "i", "t", "t"].map((prefix) => this.#text.fresh(prefix)) as [
      string,
      string,
      string,
      string,
      string,
    ];
    const readKey = key.kind === "string" ? `${k}=uniqueText();` : this.#anyElement(key, k, "", around);
    const loop = (n: string, old: string) =>
      `for(let ${i}=0;${i}<${n};${i}++){let ${k},${y};${readKey}${this.#anyElement(value, y, old, around)}${map}.set(${k},${y});}`;
    // Making all keys and values first and putting them in afterwards takes two thirds of the time.
    const plain = (n: string) =>
      `const ${before}k=newList(${n}),${before}v=newList(${n});for(let ${i}=0;${i}<${n};${i}++){let ${k},${y};${readKey}${before}k[${i}]=${k};${this.#anyElement(value, y, "", around)}${before}v[${i}]=${y};}
for(let ${i}=0;${i}<${n};${i}++)${map}.set(${before}k[${i}],${before}v[${i}]);`;
    return this.#counted(
      value,
      (_, n) => {
        if (existing === "") return `const ${map}=new Map();${plain(n)}${x}=${map};`;
        const reusing = isReused(value)
          ? `if(${map}.size>0){const ${before}=new Map(${map});${map}.clear();${loop(n, `${before}.get(${k})`)}}else{${plain(n)}}`
          : `${map}.clear();${plain(n)}`;
        return `let ${map}=${existing};if(!(${map} instanceof Map))${map}=new Map();${reusing}${x}=${map};`;
      },
      around,
    );
  }

  #oneOf(kind: Of<"oneOf">, x: string, existing: string, around: Around): string {
    const cases = kind.variants.map(({ name, fields }, i) => {
      const tag = `${JSON.stringify(kind.tag)}:${JSON.stringify(name)}`;
      const size = this.#size(fields, around);
      const call = (form: Form, o: string) => {
        const fn = this.#fields(form, fields, around, tag);
        if (size === undefined) return `${fn}(${o})`;
        return form === "make" ? `${fn}(P,V,B)` : `${fn}(${o},P,V,B)`;
      };
      const next = size === undefined ? "" : `P+=${size};`;
      const y = this.#text.fresh();
      const body =
        existing === ""
          ? `${x}=${call("make", "")};`
          : `{const ${y}=${existing};if(typeof ${y}==="object"&&${y}!==null&&${y}${member(kind.tag)}===${JSON.stringify(name)}&&claim(${y})){${call("into", y)};${x}=${y};}else ${x}=${call("make", "")};}`;
      return `case ${i}:${body}${next}break;`;
    });
    return `P+=2;switch(V.getUint16(P-2,true)){${cases.join("")}}`;
  }

  /** A struct with its header, at `p` if its size is known, else at `P`. */
  #struct(description: Description, x: string, existing: string, p: string | undefined): string {
    if (p !== undefined) {
      const place = `${p}+${entryHeaderSize}`;
      return this.#object(x, existing, (form, o) => this.#bodyCall(form, description, o, place));
    }
    return this.#object(x, existing, (form, o) => `${this.#entryFunction(form, description)}(${o})`);
  }

  /** A call that fills or makes an object of a description, without its subsections. */
  #bodyCall(form: Form, description: Description, o: string, p: string | undefined): string {
    const around = this.#aroundOf(description);
    const isFixed = this.#size(description.fields, around) !== undefined;
    const fn = this.#hasHooks(description)
      ? this.#hookedFunction(form, description)
      : this.#fields(form, description.fields, around);
    const place = isFixed ? [p ?? "P", p === undefined ? "V" : "v", p === undefined ? "B" : "b"] : [];
    return `${fn}(${[...(form === "make" ? [] : [o]), ...place].join(",")})`;
  }

  #hasHooks({ hooks }: Description): boolean {
    return hooks.create !== undefined || hooks.preLoad !== undefined || hooks.postLoad !== undefined;
  }

  /** The same as without hooks, with `create` and `preLoad` before and `postLoad` put down for later. */
  #hookedFunction(form: Form, description: Description): string {
    return this.#text.named(`h${form}${this.#text.id(description)}`, (name) => {
      const around = this.#aroundOf(description);
      const isFixed = this.#size(description.fields, around) !== undefined;
      const places = isFixed ? ["p", "v", "b"] : [];
      const parameters = [...(form === "make" ? [] : ["o"]), ...places].join(",");
      const inner = this.#fields(form === "into" ? "into" : "set", description.fields, around);
      const create = form === "make" ? this.#create(description, []) : "";
      return `function ${name}(${parameters}){${create}${this.#before(description)}${inner}(${["o", ...places].join(",")});${this.#after(description)}${form === "make" ? "return o;" : ""}}`;
    });
  }

  #create({ hooks, fields }: Description, subsections: readonly Description[]): string {
    if (hooks.create !== undefined) return `const o=created(${this.#text.constant(hooks.create)});`;
    if (hooks.preLoad !== undefined) return "const o={};";
    return `const o=${this.#blank([fields, ...subsections.map((subsection) => subsection.fields)])};`;
  }

  #before({ hooks }: Description): string {
    return hooks.preLoad === undefined ? "" : `before(${this.#text.constant(hooks.preLoad)},o);`;
  }

  #after(description: Description): string {
    const { postLoad } = description.hooks;
    if (postLoad === undefined) return "";
    const names = [postLoad, description].map((value) => this.#text.constant(value));
    return `loaded(${names.join(",")},o,${this.#versionOf(description)});`;
  }

  /** A whole entry at `P`, with subsections. */
  #entryFunction(form: Form, description: Description): string {
    return this.#text.named(`e${form}${this.#text.id(description)}`, (name) => {
      const { subsections } = description;
      const start = `const e=P+${entryHeaderSize}+V.getUint32(P+16,true);P+=${entryHeaderSize};`;
      const isLiteral = form === "make" && subsections.length === 0 && !this.#hasHooks(description);
      const size = this.#size(description.fields, this.#aroundOf(description));
      const advance = size === undefined ? "" : `P+=${size};`;
      if (isLiteral) {
        return `function ${name}(){${start}const o=${this.#bodyCall("make", description, "", undefined)};${advance}return o;}`;
      }
      const fields = this.#fields(
        form === "into" ? "into" : "set",
        description.fields,
        this.#aroundOf(description),
      );
      const create = form === "make" ? this.#create(description, subsections) : "";
      const call = size === undefined ? `${fields}(o);` : `${fields}(o,P,V,B);${advance}`;
      const parts = this.#subsections(form === "into" ? "into" : "set", subsections);
      return `function ${name}(${form === "make" ? "" : "o"}){${start}${create}${this.#before(description)}${call}${parts}${this.#after(description)}P=e;${form === "make" ? "return o;" : ""}}`;
    });
  }

  /** They may stand in any order, and are filled in the description's. */
  #subsections(form: "set" | "into", subsections: readonly Description[]): string {
    if (subsections.length === 0) return "";
    const places = subsections.map(() => this.#text.fresh("p"));
    const cases = subsections.map(({ id }, i) => `case ${id}:${places[i]}=P;break;`).join("");
    const find = `let ${places.map((place) => `${place}=0`).join(",")};while(P<e){switch(V.getInt32(P+4,true)){${cases}}P+=${entryHeaderSize}+V.getUint32(P+16,true);}`;
    const fill = subsections.map((subsection, i) => {
      const entry = this.#entryFunction("into", subsection);
      const absent = subsection.fields
        .filter((field) => !isDeprecated(field) && field.kind.kind !== "unused")
        .map((field) => this.#absent(form, field, this.#aroundOf(subsection)));
      const present = form === "into" ? `${entry}(o);` : `${this.#setEntry(subsection)}(o);`;
      return `if(${places[i]}!==0){P=${places[i]};${present}}else{${absent.join("")}}`;
    });
    return `${find}${fill.join("")}`;
  }

  #setEntry(subsection: Description): string {
    return this.#entryFunction("set", subsection);
  }

  /** Bodies wait until the one before is done. */
  #refFunction(description: Description): string {
    return this.#text.named(`r${this.#text.id(description)}`, (name) => {
      const [set, into] = (["set", "into"] as const).map((form) => this.#entryFunction(form, description));
      return `function ${name}(x){const n=V.getUint32(P,true);P+=4;if(n===0)return null;if(n<=total)return objects[n-1];
let o=x,body=${into};if(x===undefined||!claim(x)){${this.#create(description, description.subsections).replace("const o=", "o=")}body=${set};}
objects[total]=o;waiting[total++]=body;if(isDraining)return o;
isDraining=true;while(drained<total){const i=drained++;waiting[i](objects[i]);}isDraining=false;return o;}`;
    });
  }
}

function safe(p: string): string {
  return `v.getInt32(${p}+4,true)*4294967296+v.getUint32(${p},true)`;
}

/** Kinds whose values may be filled in where they are. */
function isReused({ kind }: Kind): boolean {
  return /^(bytes|blob|bitmap|typedArray|array|pointerArray|list|set|map|pointer|optional|equal|struct|record|oneOf|ref)$/.test(
    kind,
  );
}

/** Whether objects that could be filled in stand inside. */
function holdsObjects(kind: Kind): boolean {
  return someKind(kind, (inner) => /^(struct|record|oneOf|ref)$/.test(inner.kind));
}

/** Something of the right representation, for the engine's sake. */
function placeholder({ kind }: Kind): string {
  if (kind === "f32" || kind === "f64") return "0.1";
  if (/^[ui](8|16|32)$/.test(kind)) return "0";
  if (kind === "bool") return "false";
  return kind === "char" || kind === "string" || kind === "enumeration" ? '""' : "null";
}
