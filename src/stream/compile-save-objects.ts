/** Generates code that writes objects of descriptions: headers, hooks, subsections. */

import type { Description } from "../description/index.ts";
import { fieldsSize } from "./compile-plan.ts";
import type { SaveParts } from "./compile-save-lists.ts";
import { isObject, refresh, room } from "./compile-save-scalars.ts";
import { entryHeaderSize, subsectionType } from "./format.ts";

export class ObjectsSave {
  readonly #parts: SaveParts;

  constructor(parts: SaveParts) {
    this.#parts = parts;
  }

  fixedStruct(description: Description, x: string, p: string): string {
    const versionId = this.#parts.versionOf(description);
    const size = fieldsSize(description.fields, versionId, this.#parts.versionOf)!;
    const body = `${this.#parts.bodyFunction(description)}(${x},${p}+${entryHeaderSize},v,b);`;
    return `${isObject(x)}header(v,${p},${description.id},${versionId},${size});${this.#parts.deeper(this.#hooked(description, x, body))}`;
  }

  /** The fields of a description, without a header. */
  body(description: Description, x: string, isHooked = true): string {
    const size = fieldsSize(description.fields, this.#parts.versionOf(description), this.#parts.versionOf);
    const name = this.#parts.bodyFunction(description);
    const write =
      size === undefined ? `p=${name}(${x},p);${refresh}` : `${room(size)}${name}(${x},p,v,b);p+=${size};`;
    return `${isObject(x)}${isHooked ? this.#hooked(description, x, write) : write}`;
  }

  /** `postSave` always follows a successful `preSave`; what it throws never hides why the save failed. */
  #hooked({ hooks }: Description, x: string, write: string): string {
    const { preSave, postSave } = hooks;
    const before = preSave === undefined ? "" : `${this.#parts.text.constant(preSave)}(${x});`;
    if (postSave === undefined) return `${before}${write}`;
    const after = `${this.#parts.text.constant(postSave)}(${x});`;
    const first = this.#parts.text.fresh();
    return `${before}try{${write}}catch(${first}){try{${after}}catch{}throw ${first};}${after}`;
  }

  struct(description: Description, x: string): string {
    return `p=${this.entryFunction(description)}(${x},p);${refresh}`;
  }

  /** `(o, p)`: a whole entry with its subsections, giving the new `p`. */
  entryFunction(description: Description): string {
    return this.#parts.text.named(`e${this.#parts.text.id(description)}`, (name) => {
      const subsections = description.subsections.map((subsection) => this.#subsection(subsection)).join("");
      return `function ${name}(o,p){${isObject("o")}const s=p;p=entry(p,${description.id},${this.#parts.versionOf(description)});let v=V,b=B;${this.#parts.deeper(
        this.#hooked(description, "o", `${this.body(description, "o", false)}${subsections}`),
      )}patch(s,p);return p;}`;
    });
  }

  #subsection(subsection: Description): string {
    const type = this.#parts.text.fresh();
    const write = `{const ${type}=T;T=${subsectionType};p=${this.entryFunction(subsection)}(o,p);${refresh}T=${type};}`;
    const { needed } = subsection.hooks;
    return needed === undefined ? write : `if(${this.#parts.text.constant(needed)}(o)!==false)${write}`;
  }
}
