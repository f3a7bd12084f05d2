/** Generates `check`: the first pass over the bytes, which makes no objects. */

import {
  type Description,
  engineLimits,
  type FieldModel,
  isDeprecated,
  type Kind,
  limitOf,
} from "../description/index.ts";
import { scalarCheck } from "./compile-check-scalars.ts";
import { distinctness, fieldsSize, fixedSize, presentFields, type VersionOf } from "./compile-plan.ts";
import { conditionText, countText, type Subjects, subjectsOf } from "./compile-subjects.ts";
import { at, bail, type UnitText } from "./compile-text.ts";
import { depthLimit, entryHeaderSize, subsectionType } from "./format.ts";
import { leastSize } from "./least-size.ts";
import { typedArrays } from "./typed.ts";

type Of<Name extends Kind["kind"]> = Extract<Kind, { readonly kind: Name }>;

/** Statements that read one value at a place into a variable: the other half's, for what is looked at. */
export type ReadAt = (kind: Kind, x: string, p: string, versionId: number) => string;

export class CheckGenerator {
  readonly #text: UnitText;
  readonly #versionOf: VersionOf;
  readonly #readAt: ReadAt;

  constructor(text: UnitText, versionOf: VersionOf, readAt: ReadAt) {
    this.#text = text;
    this.#versionOf = versionOf;
    this.#readAt = readAt;
  }

  main(root: Description): string {
    const versionId = this.#versionOf(root);
    const code = this.fields(root.fields, versionId);
    return `function check(bytes,view,p,e,type,depth,meet,pool,readCustom){if(B!==undefined)${bail}B=bytes;V=view;T=type;D=depth;meetOne=meet;distinct=pool;customAt=readCustom;begin();
try{const v=V,b=B;${code}if(p!==e)${bail}return customs;}finally{end();}}`;
  }

  /** Statements that check the fields from `p` and leave `p` behind them. */
  fields(fields: readonly FieldModel[], versionId: number): string {
    const subjects = subjectsOf(fields, versionId, () => this.#text.fresh("w"));
    let code = [...subjects.values()].map((name) => `let ${name};`).join("");
    let run: FieldModel[] = [];
    const flush = () => {
      if (run.length === 0) return;
      const size = fieldsSize(run, versionId, this.#versionOf)!;
      code += `if(p+${size}>e)${bail}`;
      let offset = 0;
      for (const field of run) {
        const p = at("p", offset);
        code += this.#fixed(field.kind, p, versionId) + this.#look(field, p, subjects, versionId);
        offset += fixedSize(field.kind, versionId, this.#versionOf)!;
      }
      code += `p+=${size};`;
      run = [];
    };
    for (const field of presentFields(fields, versionId)) {
      if (fieldsSize([field], versionId, this.#versionOf) !== undefined) {
        run.push(field);
        continue;
      }
      flush();
      const q = this.#text.fresh("q");
      const one = `const ${q}=p;${this.#field(field, versionId, subjects)}${this.#look(field, q, subjects, versionId)}`;
      code += `${conditionText(this.#text, field, subjects)}{${one}}`;
    }
    flush();
    return code;
  }

  /** A deprecated custom field that nobody wants is passed over where it can be. */
  #field(field: FieldModel, versionId: number, subjects: Subjects): string {
    const { kind } = field;
    const isUnwanted = isDeprecated(field) && field.load === undefined && field.checks.length === 0;
    return kind.kind === "custom" && isUnwanted && kind.codec.skip !== undefined
      ? `p=custom(p,e,${this.#text.constant(kind)},true);`
      : this.#variable(kind, versionId, subjects);
  }

  /** The value, where a later field or a check wants it. */
  #look(field: FieldModel, p: string, subjects: Subjects, versionId: number): string {
    const subject = subjects.get(field);
    if (subject === undefined && field.checks.length === 0) return "";
    const x = subject ?? this.#text.fresh();
    const declared = subject === undefined ? `let ${x};` : "";
    const checks = field.checks.map(({ predicate }) => `if(!${this.#text.constant(predicate)}(${x}))${bail}`);
    const code = `{${declared}{${this.#readAt(field.kind, x, p, versionId)}}${checks.join("")}}`;
    return code;
  }

  /** Checks the content at `p`; the bytes are there. */
  #fixed(kind: Kind, p: string, versionId: number): string {
    switch (kind.kind) {
      case "array":
      case "pointerArray":
        return this.#fixedElements(kind.element, String(kind.count), p, versionId);
      case "pointer":
      case "equal":
        return this.#fixed(kind.element, p, versionId);
      case "record":
        return this.#fixedFields(kind.fields, p, versionId);
      case "struct":
        return this.#fixedStruct(kind.of(), p);
      default:
        return scalarCheck(kind, p);
    }
  }

  #fixedFields(fields: readonly FieldModel[], p: string, versionId: number): string {
    let offset = 0;
    let code = "";
    for (const field of presentFields(fields, versionId)) {
      const place = at(p, offset);
      code += this.#fixed(field.kind, place, versionId) + this.#look(field, place, new Map(), versionId);
      offset += fixedSize(field.kind, versionId, this.#versionOf)!;
    }
    return code;
  }

  /** Nothing at all if any bytes will do. */
  #fixedElements(element: Kind, n: string, p: string, versionId: number): string {
    const size = fixedSize(element, versionId, this.#versionOf)!;
    const [i, q] = [this.#text.fresh("i"), this.#text.fresh("q")];
    const code = this.#fixed(element, q, versionId);
    return code === "" ? "" : `for(let ${i}=0,${q}=${p};${i}<${n};${i}++,${q}+=${size}){${code}}`;
  }

  #fixedStruct(description: Description, p: string): string {
    const versionId = this.#versionOf(description);
    const size = fieldsSize(description.fields, versionId, this.#versionOf)!;
    const body = this.#fixedFields(description.fields, `${p}+${entryHeaderSize}`, versionId);
    return `${this.#header(description, p)}if(V.getInt32(${p}+16,true)!==${size}||++D>${depthLimit})${bail}${body}D--;`;
  }

  /** Type, id, version and instance; the size is looked at by who knows it. */
  #header(description: Description, p: string): string {
    const versionId = this.#versionOf(description);
    const known = this.#text.constant(description);
    const met = this.#text.named(
      `met${known}`,
      (name) => `let ${name}=false;reset.push(()=>{${name}=false;});`,
    );
    return `if(V.getInt32(${p},true)!==T||V.getInt32(${p}+4,true)!==${description.id}||V.getInt32(${p}+12,true)!==0)${bail}
if(V.getInt32(${p}+8,true)!==${versionId})other(${known},V.getInt32(${p}+8,true));if(!${met}){meetOne(${known},${versionId});${met}=true;}`;
  }

  /** Checks what begins at `p`, up to `e` at the most, and leaves `p` behind it. */
  #variable(kind: Kind, versionId: number, subjects: Subjects = new Map()): string {
    const size = fixedSize(kind, versionId, this.#versionOf);
    if (size !== undefined) return `if(p+${size}>e)${bail}${this.#fixed(kind, "p", versionId)}p+=${size};`;
    switch (kind.kind) {
      case "string":
        return `p=checkText(p,e,${limitOf(kind)});`;
      case "json":
        return `p=checkJson(p,e,${limitOf(kind)});`;
      case "blob":
        return `p=checkCounted(p,e,${kind.max},1);`;
      case "typedArray":
        return `p=checkCounted(p,e,${kind.max},${typedArrays[kind.element].BYTES_PER_ELEMENT});`;
      case "custom":
        return `p=custom(p,e,${this.#text.constant(kind)},false);`;
      case "optional":
        return `if(p>=e||b[p]>1)${bail}if(b[p++]===1){${this.#variable(kind.element, versionId)}}`;
      case "pointer":
      case "equal":
        return this.#variable(kind.element, versionId);
      case "array":
        return this.#elements(kind.element, String(kind.count), versionId);
      case "pointerArray":
        return this.#pointerArray(kind, versionId, subjects);
      case "record":
        return `p=${this.#function(kind.fields, versionId)}(p,e);`;
      case "struct":
        return `p=${this.#entryFunction(kind.of())}(p,e);`;
      case "list":
      case "set":
        return this.#list(kind, versionId);
      case "map":
        return this.#map(kind, versionId);
      case "oneOf":
        return this.#oneOf(kind, versionId);
      case "ref":
        return `p=${this.#refFunction(kind.of())}(p,e);`;
      default:
        throw new Error(`${kind.kind} cannot be checked`);
    }
  }

  #function(fields: readonly FieldModel[], versionId: number): string {
    return this.#text.named(`c${this.#text.id(fields)}_${versionId}`, (name) => {
      return `function ${name}(p,e){const v=V,b=B;${this.fields(fields, versionId)}return p;}`;
    });
  }

  /** For the other half, which passes over what nobody wants. */
  skip(kind: Kind, versionId: number, subjects: Subjects): string {
    return `{const e=B.length;${this.#variable(kind, versionId, subjects)}}`;
  }

  #pointerArray({ element, count }: Of<"pointerArray">, versionId: number, subjects: Subjects): string {
    const n = typeof count === "number" ? String(count) : countText(count, subjects);
    return `if(!(${n}>=0&&${n}<=${engineLimits.elements}))${bail}${this.#elements(element, n, versionId)}`;
  }

  #elements(element: Kind, n: string, versionId: number): string {
    const size = fixedSize(element, versionId, this.#versionOf);
    if (size !== undefined) {
      return `if(${n}*${size}>e-p)${bail}${this.#fixedElements(element, n, "p", versionId)}p+=${n}*${size};`;
    }
    const i = this.#text.fresh("i");
    const least = Math.max(leastSize(element), 1);
    return `if(${n}*${least}>e-p)${bail}for(let ${i}=0;${i}<${n};${i}++){${this.#variable(element, versionId)}}`;
  }

  #list(kind: Of<"list" | "set">, versionId: number): string {
    const { element } = kind;
    if (element.kind === "struct") return this.#group(element.of(), limitOf(kind), undefined, versionId);
    const n = this.#text.fresh("n");
    const how = kind.kind === "list" ? "always" : distinctness(element);
    const code =
      how === "always"
        ? this.#elements(element, n, versionId)
        : this.#distinctElements(element, n, how, versionId, "");
    return `{const ${n}=count(p,e,${limitOf(kind)});p+=4;${code}}`;
  }

  #map(kind: Of<"map">, versionId: number): string {
    const { key, value } = kind;
    const max = limitOf(kind);
    if (value.kind === "struct") return this.#group(value.of(), max, key, versionId);
    const n = this.#text.fresh("n");
    const values = this.#variable(value, versionId);
    return `{const ${n}=count(p,e,${max});p+=4;${this.#distinctElements(key, n, distinctness(key), versionId, values)}}`;
  }

  /** Elements or keys that must be there once, each followed by more. */
  #distinctElements(key: Kind, n: string, how: string, versionId: number, more: string): string {
    const [i, q, seen, x] = ["i", "q", "s", "t"].map((prefix) => this.#text.fresh(prefix));
    const one = this.#variable(key, versionId);
    if (how === "always") return `for(let ${i}=0;${i}<${n};${i}++){${one}${more}}`;
    if (how === "values") {
      const read = this.#readAt(key, x!, q!, versionId);
      return `const ${seen}=new Set();for(let ${i}=0;${i}<${n};${i}++){const ${q}=p;${one}let ${x};{${read}}${seen}.add(${x});${more}}if(${seen}.size!==${n})${bail}`;
    }
    const skipCount = key.kind === "string" ? "+4" : "";
    return `if(${n}>e-p)${bail}const ${seen}=distinct.begin(${n});for(let ${i}=0;${i}<${n};${i}++){const ${q}=p;${one}if(!distinct.add(b,v,${seen},${n},${q}${skipCount},p))${bail}${more}}distinct.end(${seen});`;
  }

  /** Structs that share one header. */
  #group(description: Description, max: number, key: Kind | undefined, keyVersion: number): string {
    const [n, outer, start] = [this.#text.fresh("n"), this.#text.fresh("e"), this.#text.fresh("q")];
    const versionId = this.#versionOf(description);
    const element: Kind = { kind: "record", fields: description.fields };
    const code =
      key === undefined
        ? this.#elements(element, n, versionId)
        : this.#keyed(key, element, n, keyVersion, versionId);
    return `{if(e-p<${entryHeaderSize})${bail}${this.#header(description, "p")}const ${outer}=e,${start}=p;{const e=entryEnd(p,${outer});if(++D>${depthLimit})${bail}p+=${entryHeaderSize};const ${n}=count(p,e,${max});p+=4;${code}${this.#columns(description, n, start)}if(p!==e)${bail}D--;}}`;
  }

  /** Subsections of all elements, each once, in any order: of each a flag for every element, and fields after a 1. */
  #columns({ subsections }: Description, n: string, start: string): string {
    if (subsections.length === 0) return "";
    const [places, i, outer] = [this.#text.fresh("c"), this.#text.fresh("i"), this.#text.fresh("e")];
    const cases = subsections.map((subsection, index) => {
      const fields = this.fields(subsection.fields, this.#versionOf(subsection));
      return `case ${subsection.id}:{if(${places}[${index}]!==0)${bail}${this.#header(subsection, "p")}const e=entryEnd(p,${outer});if(++D>${depthLimit})${bail}p+=${entryHeaderSize};${places}[${index}]=p;
for(let ${i}=0;${i}<${n};${i}++){if(p>=e||b[p]>1)${bail}if(b[p++]===1){${fields}}}if(p!==e)${bail}D--;break;}`;
    });
    return `const ${places}=[${subsections.map(() => 0).join(",")}];{const type=T,${outer}=e;T=${subsectionType};while(p<e){if(e-p<${entryHeaderSize})${bail}switch(V.getInt32(p+4,true)){${cases.join("")}default:${bail}}}T=type;}
noteColumns(${start},${places},p);`;
  }

  #keyed(key: Kind, element: Kind, n: string, keyVersion: number, versionId: number): string {
    return this.#distinctElements(key, n, distinctness(key), keyVersion, this.#variable(element, versionId));
  }

  /** `(p, e)`: a whole entry with its subsections. */
  #entryFunction(description: Description): string {
    return this.#text.named(`ce${this.#text.id(description)}`, (name) => {
      const rest = description.subsections.length === 0 ? "" : this.#subsections(description);
      return `function ${name}(p,outer){const v=V,b=B;if(outer-p<${entryHeaderSize})${bail}${this.#header(description, "p")}const e=entryEnd(p,outer);if(++D>${depthLimit})${bail}p+=${entryHeaderSize};${this.fields(
        description.fields,
        this.#versionOf(description),
      )}${rest}if(p!==e)${bail}D--;return p;}`;
    });
  }

  /** Those that are known, each once, in any order. */
  #subsections(description: Description): string {
    const cases = description.subsections.map(
      (subsection, i) =>
        `case ${subsection.id}:if((found&${2 ** i})!==0)${bail}found|=${2 ** i};p=${this.#entryFunction(subsection)}(p,e);break;`,
    );
    return `if(p<e){const type=T;let found=0;T=${subsectionType};while(p<e){if(e-p<${entryHeaderSize})${bail}switch(V.getInt32(p+4,true)){${cases.join("")}default:${bail}}}T=type;}`;
  }

  #oneOf(kind: Of<"oneOf">, versionId: number): string {
    const cases = kind.variants.map(
      ({ fields }, i) => `case ${i}:p=${this.#function(fields, versionId)}(p,e);break;`,
    );
    return `if(e-p<2)${bail}p+=2;switch(v.getUint16(p-2,true)){${cases.join("")}default:${bail}}`;
  }

  /** `(p, e)`: a number, and the bodies that must follow here. */
  #refFunction(description: Description): string {
    return this.#text.named(`cr${this.#text.id(description)}`, (name) => {
      const body = this.#entryFunction(description);
      return `function ${name}(p,e){if(e-p<4)${bail}const n=V.getUint32(p,true);p+=4;if(n===0)return p;
if(n<=kinds.length){if(kinds[n-1]!==${body})${bail}return p;}
if(n!==kinds.length+1)${bail}kinds.push(${body});if(isDraining)return p;
isDraining=true;while(drained<kinds.length)p=kinds[drained++](p,e);isDraining=false;return p;}`;
    });
  }
}
