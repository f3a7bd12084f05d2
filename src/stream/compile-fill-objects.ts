/** Generates code that makes and fills objects of descriptions: their hooks, subsections, and references to them. */

import { type Description, isDeprecated } from "../description/index.ts";
import { blankText } from "./compile-fill-kinds.ts";
import type { FillParts, Form } from "./compile-fill-parts.ts";
import { entryHeaderSize } from "./format.ts";

export class ObjectsFill {
  readonly #parts: FillParts;

  constructor(parts: FillParts) {
    this.#parts = parts;
  }

  /** A struct with its header, at `p` if its size is known, else at `P`. */
  struct(description: Description, x: string, existing: string, p: string | undefined): string {
    if (p !== undefined) {
      const place = `${p}+${entryHeaderSize}`;
      return this.#parts.object(x, existing, (form, o) => this.bodyCall(form, description, o, place));
    }
    return this.#parts.object(x, existing, (form, o) => `${this.#entryFunction(form, description)}(${o})`);
  }

  /** A call that fills or makes an object of a description, without its subsections. */
  bodyCall(form: Form, description: Description, o: string, p: string | undefined): string {
    const around = this.#parts.aroundOf(description);
    const isFixed = this.#parts.sizeOf(description.fields, around) !== undefined;
    const fn = this.#hasHooks(description)
      ? this.#hookedFunction(form, description)
      : this.#parts.fields(form, description.fields, around);
    const place = isFixed ? [p ?? "P", p === undefined ? "V" : "v", p === undefined ? "B" : "b"] : [];
    return `${fn}(${[...(form === "make" ? [] : [o]), ...place].join(",")})`;
  }

  #hasHooks({ hooks }: Description): boolean {
    return hooks.create !== undefined || hooks.preLoad !== undefined || hooks.postLoad !== undefined;
  }

  /** The same as without hooks, with `create` and `preLoad` before and `postLoad` put down for later. */
  #hookedFunction(form: Form, description: Description): string {
    return this.#parts.text.named(`h${form}${this.#parts.text.id(description)}`, (name) => {
      const around = this.#parts.aroundOf(description);
      const isFixed = this.#parts.sizeOf(description.fields, around) !== undefined;
      const places = isFixed ? ["p", "v", "b"] : [];
      const parameters = [...(form === "make" ? [] : ["o"]), ...places].join(",");
      const inner = this.#parts.fields(form === "into" ? "into" : "set", description.fields, around);
      const create = form === "make" ? this.#create(description, []) : "";
      return `function ${name}(${parameters}){${create}${this.#before(description)}${inner}(${["o", ...places].join(",")});${this.#after(description)}${form === "make" ? "return o;" : ""}}`;
    });
  }

  #create({ hooks, fields }: Description, subsections: readonly Description[]): string {
    if (hooks.create !== undefined) return `const o=created(${this.#parts.text.constant(hooks.create)});`;
    if (hooks.preLoad !== undefined) return "const o={};";
    return `const o=${blankText([fields, ...subsections.map((subsection) => subsection.fields)])};`;
  }

  #before({ hooks }: Description): string {
    return hooks.preLoad === undefined ? "" : `before(${this.#parts.text.constant(hooks.preLoad)},o);`;
  }

  #after(description: Description): string {
    const { postLoad } = description.hooks;
    if (postLoad === undefined) return "";
    const names = [postLoad, description].map((value) => this.#parts.text.constant(value));
    return `loaded(${names.join(",")},o,${this.#parts.versionOf(description)});`;
  }

  /** A whole entry at `P`, with subsections. */
  #entryFunction(form: Form, description: Description): string {
    return this.#parts.text.named(`e${form}${this.#parts.text.id(description)}`, (name) => {
      const { subsections } = description;
      const start = `const e=P+${entryHeaderSize}+V.getUint32(P+16,true);P+=${entryHeaderSize};`;
      const isLiteral = form === "make" && subsections.length === 0 && !this.#hasHooks(description);
      const size = this.#parts.sizeOf(description.fields, this.#parts.aroundOf(description));
      const advance = size === undefined ? "" : `P+=${size};`;
      if (isLiteral) {
        return `function ${name}(){${start}const o=${this.bodyCall("make", description, "", undefined)};${advance}return o;}`;
      }
      const create = form === "make" ? this.#create(description, subsections) : "";
      const inner = form === "into" ? "into" : "set";
      const call = this.#fieldsAt(inner, description);
      const parts = this.#subsections(inner, subsections);
      return `function ${name}(${form === "make" ? "" : "o"}){${start}${create}${this.#before(description)}${call}${parts}${this.#after(description)}P=e;${form === "make" ? "return o;" : ""}}`;
    });
  }

  /** An element at `P` of a group, and its subsections from the columns, whose places move on. */
  groupCall(form: Form, description: Description, o: string, columns: string): string {
    const { subsections } = description;
    const name = this.#parts.text.named(`g${form}${this.#parts.text.id(description)}`, (fn) => {
      const inner = form === "into" ? "into" : "set";
      const create = form === "make" ? this.#create(description, subsections) : "";
      const columnTexts = subsections.map((subsection, i) => {
        const present = `P=c[${i}];${this.#bodyAt(inner, subsection)}c[${i}]=P;`;
        return `if(c[${i}]!==0&&B[c[${i}]++]===1){${present}}else{${this.#absentFields(inner, subsection)}}`;
      });
      return `function ${fn}(${form === "make" ? "" : "o,"}c){${create}${this.#before(description)}${this.#fieldsAt(inner, description)}const p=P;${columnTexts.join("")}P=p;${this.#after(description)}${form === "make" ? "return o;" : ""}}`;
    });
    return `${name}(${o === "" ? "" : `${o},`}${columns})`;
  }

  /** Fills `o` with the fields at `P`, and moves `P` behind them. */
  #fieldsAt(form: "set" | "into", description: Description): string {
    const around = this.#parts.aroundOf(description);
    const fields = this.#parts.fields(form, description.fields, around);
    const size = this.#parts.sizeOf(description.fields, around);
    return size === undefined ? `${fields}(o);` : `${fields}(o,P,V,B);P+=${size};`;
  }

  /** The same with the description's hooks. */
  #bodyAt(form: "set" | "into", description: Description): string {
    const size = this.#parts.sizeOf(description.fields, this.#parts.aroundOf(description));
    return `${this.bodyCall(form, description, "o", undefined)};${size === undefined ? "" : `P+=${size};`}`;
  }

  #absentFields(form: "set" | "into", description: Description): string {
    return description.fields
      .filter((field) => !isDeprecated(field) && field.kind.kind !== "unused")
      .map((field) => this.#parts.absent(form, field, this.#parts.aroundOf(description)))
      .join("");
  }

  /** They may stand in any order, and are filled in the description's. */
  #subsections(form: "set" | "into", subsections: readonly Description[]): string {
    if (subsections.length === 0) return "";
    const places = subsections.map(() => this.#parts.text.fresh("p"));
    const cases = subsections.map(({ id }, i) => `case ${id}:${places[i]}=P;break;`).join("");
    const find = `let ${places.map((place) => `${place}=0`).join(",")};while(P<e){switch(V.getInt32(P+4,true)){${cases}}P+=${entryHeaderSize}+V.getUint32(P+16,true);}`;
    const fill = subsections.map((subsection, i) => {
      const entry = this.#entryFunction("into", subsection);
      const present = form === "into" ? `${entry}(o);` : `${this.#setEntry(subsection)}(o);`;
      return `if(${places[i]}!==0){P=${places[i]};${present}}else{${this.#absentFields(form, subsection)}}`;
    });
    return `${find}${fill.join("")}`;
  }

  #setEntry(subsection: Description): string {
    return this.#entryFunction("set", subsection);
  }

  /** Bodies wait until the one before is done. */
  refFunction(description: Description): string {
    return this.#parts.text.named(`r${this.#parts.text.id(description)}`, (name) => {
      const [set, into] = (["set", "into"] as const).map((form) => this.#entryFunction(form, description));
      return `function ${name}(x){const n=V.getUint32(P,true);P+=4;if(n===0)return null;if(n<=total)return objects[n-1];
let o=x,body=${into};if(x===undefined||!claim(x)){${this.#create(description, description.subsections).replace("const o=", "o=")}body=${set};}
objects[total]=o;waiting[total++]=body;if(isDraining)return o;
isDraining=true;while(drained<total){const i=drained++;waiting[i](objects[i]);}isDraining=false;return o;}`;
    });
  }
}
