/**
 * Generates code that writes the fields of a description. Where a value does not fit, the code throws 0 and the
 * reference takes over, from the beginning of the entry.
 *
 * `p` is the position, `v` and `b` the buffer as DataView and bytes. What has a fixed size is written at constant
 * offsets after one question for room; only what has none asks again.
 */

import { type Description, type FieldModel, isDeprecated, type Kind, limitOf } from "../description/index.ts";
import { fieldsSize, fixedSize, presentFields, type VersionOf } from "./compile-plan.ts";
import { saveHelpers } from "./compile-save-helpers.ts";
import { ListsSave, type SaveParts } from "./compile-save-lists.ts";
import { ObjectsSave } from "./compile-save-objects.ts";
import { savePrelude } from "./compile-save-prelude.ts";
import { referenceFunction } from "./compile-save-references.ts";
import { isNotOf, isObject, refresh, room, scalarSave, storedText } from "./compile-save-scalars.ts";
import { conditionText, countText, type Subjects, subjectsOf } from "./compile-subjects.ts";
import { at, bail, member, type Unit, UnitText } from "./compile-text.ts";
import { depthLimit } from "./format.ts";
import { isTypedName, typedArrays } from "./typed.ts";

type Of<Name extends Kind["kind"]> = Extract<Kind, { readonly kind: Name }>;

const noSubjects: Subjects = new Map();

/** The text of a unit that saves a description, and the values that it refers to. */
export function saveUnit(root: Description, versionOf: VersionOf): Unit {
  return new SaveGenerator(versionOf).unit(root);
}

class SaveGenerator implements SaveParts {
  readonly text = new UnitText();
  readonly versionOf: VersionOf;
  readonly #lists = new ListsSave(this);
  readonly #objects = new ObjectsSave(this);

  constructor(versionOf: VersionOf) {
    this.versionOf = versionOf;
    this.text.constant(saveHelpers);
  }

  unit(root: Description): Unit {
    const versionId = this.versionOf(root);
    const size = fieldsSize(root.fields, versionId, this.versionOf);
    const body = this.bodyFunction(root);
    const run =
      size === undefined
        ? `const p=${body}(o,W.offset);`
        : `let p=W.offset;if(p+${size}>E)grow(p,${size});${body}(o,p,V,B);p+=${size};`;
    const main = `function run(w,o,t,depth,custom){if(W!==undefined)${bail}W=w;T=t;D=depth;C=custom;begin();try{B=w.buffer;V=w.view;E=B.length;${run}checkReferences();w.offset=p;}finally{end();}}`;
    return this.text.build(savePrelude, main, "run");
  }

  /** Checks of the object, and its fields. */
  bodyFunction(description: Description): string {
    const { fields, checks } = description;
    const versionId = this.versionOf(description);
    const before = checks.map(({ predicate }) => `if(!${this.text.constant(predicate)}(o))${bail}`).join("");
    return this.#fieldsFunction(fields, versionId, before);
  }

  /** `(o, p, v, b)` if the fields have a fixed size, and room was made; else `(o, p)`, giving the new `p`. */
  #fieldsFunction(fields: readonly FieldModel[], versionId: number, before = ""): string {
    return this.text.named(`${this.text.id(fields)}_${versionId}`, (name) => {
      const size = fieldsSize(fields, versionId, this.versionOf);
      const present = presentFields(fields, versionId);
      return size === undefined
        ? `function ${name}(o,p){let v=V,b=B;${before}${this.#variableFields(present, versionId)}return p;}`
        : `function ${name}(o,p,v,b){${before}${this.#fixedFields(present, versionId)}}`;
    });
  }

  #fixedFields(fields: readonly FieldModel[], versionId: number, subjects = noSubjects): string {
    let offset = 0;
    let code = "";
    for (const field of fields) {
      code += this.#field(field, subjects, (x) => this.fixed(field.kind, x, at("p", offset), versionId));
      offset += fixedSize(field.kind, versionId, this.versionOf)!;
    }
    return code;
  }

  /** Neighbours of fixed size share one question for room. */
  #variableFields(fields: readonly FieldModel[], versionId: number): string {
    const subjects = subjectsOf(fields, versionId, () => this.text.fresh("w"));
    let code = [...subjects.values()].map((name) => `let ${name};`).join("");
    let run: FieldModel[] = [];
    const flush = () => {
      if (run.length === 0) return;
      const size = fieldsSize(run, versionId, this.versionOf)!;
      code += `${room(size)}${this.#fixedFields(run, versionId, subjects)}p+=${size};`;
      run = [];
    };
    for (const field of fields) {
      if (fieldsSize([field], versionId, this.versionOf) !== undefined) {
        run.push(field);
        continue;
      }
      flush();
      const write = this.#field(field, subjects, (x) => this.variable(field.kind, x, versionId, subjects));
      code += `${conditionText(this.text, field, subjects)}{${write}}`;
    }
    flush();
    return code;
  }

  /** The value is read once; whoever asks for it later, a condition or a count, gets what was written. */
  #field(field: FieldModel, subjects: Subjects, write: (x: string) => string): string {
    if (field.kind.kind === "unused") return write("");
    const x = this.text.fresh();
    const subject = subjects.get(field);
    const stored = storedText(field.kind, x);
    const checks = field.checks
      .map(({ predicate }) => `if(!${this.text.constant(predicate)}(${stored}))${bail}`)
      .join("");
    const kept = subject === undefined ? "" : `${subject}=${stored};`;
    return `{const ${x}=${this.#savedValue(field)};${kept}${checks}${write(x)}}`;
  }

  #savedValue(field: FieldModel): string {
    return isDeprecated(field) && field.save !== undefined
      ? `${this.text.constant(field.save)}(o)`
      : `o${member(field.name)}`;
  }

  /** Writes `x` at `p`; there is room. */
  fixed(kind: Kind, x: string, p: string, versionId: number): string {
    const scalar = scalarSave(this.text, kind, x, p);
    if (scalar !== undefined) return scalar;
    switch (kind.kind) {
      case "array":
      case "pointerArray":
        return this.#fixedArray(kind, x, p, versionId);
      case "pointer":
        return this.#boxed(kind, x, (y) => this.fixed(kind.element, y, p, versionId));
      case "equal":
        return this.fixed(kind.element, x, p, versionId);
      case "record":
        return `${isObject(x)}${this.#fieldsFunction(kind.fields, versionId)}(${x},${p},v,b);`;
      case "struct":
        return this.#objects.fixedStruct(kind.of(), x, p);
      default:
        throw new Error(`${kind.kind} has no fixed size`);
    }
  }

  #fixedArray(kind: Of<"array" | "pointerArray">, x: string, p: string, versionId: number): string {
    const [i, q, y] = [this.text.fresh("i"), this.text.fresh("q"), this.text.fresh()];
    const size = fixedSize(kind.element, versionId, this.versionOf)!;
    const each = `for(let ${i}=0,${q}=${p};${i}<${kind.count};${i}++,${q}+=${size}){const ${y}=${x}[${i}];${this.fixed(kind.element, y, q, versionId)}}if(${x}.length!==${kind.count})${bail}`;
    const list = `if(!Array.isArray(${x})||${x}.length!==${kind.count})${bail}${each}`;
    if (kind.kind === "pointerArray" || !isTypedName(kind.element.kind)) return list;
    const type = this.text.constant(typedArrays[kind.element.kind]);
    return `if(${x} instanceof ${type}){if(${isNotOf(x, kind.count as number)})${bail}put(b,littleEndianBytes(${x}),${p},${size * (kind.count as number)});}else{${list}}`;
  }

  #boxed({ element }: Of<"pointer">, x: string, write: (y: string) => string): string {
    if (element.kind === "struct" || element.kind === "record") return write(x);
    const y = this.text.fresh();
    return `{${isObject(x)}if(!("value" in ${x}))${bail}const ${y}=${x}.value;${write(y)}}`;
  }

  deeper(code: string): string {
    return `if(++D>${depthLimit})${bail}${code}D--;`;
  }

  /** Writes `x` at `p`, asks for room itself, and leaves `p` behind it. */
  variable(kind: Kind, x: string, versionId: number, around = noSubjects): string {
    const size = fixedSize(kind, versionId, this.versionOf);
    if (size !== undefined) return `${room(size)}${this.fixed(kind, x, "p", versionId)}p+=${size};`;
    switch (kind.kind) {
      case "string":
        return `p=text(p,${storedText(kind, x)},${limitOf(kind)});${refresh}`;
      case "blob":
        return this.#blob(x, kind.max);
      case "typedArray":
        return this.#typedArray(kind, x);
      case "json":
        return `p=text(p,${kind.lossy === true ? "lossyText" : "jsonText"}(${x}),${limitOf(kind)});${refresh}`;
      case "custom":
        return `p=custom(p,${this.text.constant(kind)},${x});${refresh}`;
      case "array":
      case "pointerArray":
        return this.#variableArray(kind, x, versionId, around);
      case "pointer":
        return this.#boxed(kind, x, (y) => this.variable(kind.element, y, versionId));
      case "equal":
        return this.variable(kind.element, x, versionId);
      case "optional":
        return `${room(1)}if(${x}===null)b[p++]=0;else{b[p++]=1;${this.variable(kind.element, x, versionId)}}`;
      case "record":
        return `${isObject(x)}p=${this.#fieldsFunction(kind.fields, versionId)}(${x},p);${refresh}`;
      case "struct":
        return this.#objects.struct(kind.of(), x);
      case "list":
        return this.#lists.collection(kind, kind.element, `if(!Array.isArray(${x}))${bail}`, x, versionId);
      case "set":
        return this.#lists.collection(kind, kind.element, `if(!(${x} instanceof Set))${bail}`, x, versionId);
      case "map":
        return this.#lists.collection(kind, kind.value, `if(!(${x} instanceof Map))${bail}`, x, versionId);
      case "oneOf":
        return this.#oneOf(kind, x, versionId);
      case "ref":
        return `p=${this.#reference(kind.of())}(p,${x});${refresh}`;
      default:
        throw new Error(`${kind.kind} has a fixed size`);
    }
  }

  #variableArray(kind: Of<"array" | "pointerArray">, x: string, versionId: number, around: Subjects): string {
    const count = typeof kind.count === "number" ? String(kind.count) : countText(kind.count, around);
    const n = this.text.fresh("n");
    const list = `const ${n}=${count};if(!Array.isArray(${x})||${x}.length!==${n})${bail}${this.#lists.each(kind.element, x, n, versionId)}`;
    if (kind.kind === "pointerArray" || !isTypedName(kind.element.kind)) return `{${list}}`;
    const type = this.text.constant(typedArrays[kind.element.kind]);
    return `if(${x} instanceof ${type}){if(${isNotOf(x, kind.count as number)})${bail}p=raw(p,littleEndianBytes(${x}));${refresh}}else{${list}}`;
  }

  #blob(x: string, max: number): string {
    const n = this.text.fresh("n");
    return `if(!(${x} instanceof Uint8Array))${bail}{const ${n}=viewed(${x},${max});p=blob(p,${n},${x},${n});}${refresh}`;
  }

  #typedArray({ element, max }: Of<"typedArray">, x: string): string {
    const n = this.text.fresh("n");
    const size = typedArrays[element].BYTES_PER_ELEMENT;
    return `if(!(${x} instanceof ${this.text.constant(typedArrays[element])}))${bail}{const ${n}=viewed(${x},${max});p=blob(p,${n},littleEndianBytes(${x}),${n}*${size});}${refresh}`;
  }

  body(description: Description, x: string): string {
    return this.#objects.body(description, x);
  }

  #reference(description: Description): string {
    const versionId = this.versionOf(description);
    return referenceFunction(this.text, description, versionId, () =>
      this.#objects.entryFunction(description),
    );
  }

  #oneOf(kind: Of<"oneOf">, x: string, versionId: number): string {
    const cases = kind.variants.map(({ name, fields }, i) => {
      const size = fieldsSize(fields, versionId, this.versionOf);
      const fn = this.#fieldsFunction(fields, versionId);
      const write =
        size === undefined ? `p=${fn}(${x},p);${refresh}` : `${room(size)}${fn}(${x},p,v,b);p+=${size};`;
      return `case ${JSON.stringify(name)}:${room(2)}v.setUint16(p,${i},true);p+=2;${write}break;`;
    });
    return `${isObject(x)}switch(${x}${member(kind.tag)}){${cases.join("")}default:${bail}}`;
  }
}
