/** Generates code that writes lists, sets and maps. */

import type { Description, Kind } from "../description/index.ts";
import { fixedSize, type VersionOf } from "./compile-plan.ts";
import { refresh, room } from "./compile-save-scalars.ts";
import { bail, type UnitText } from "./compile-text.ts";
import { subsectionType } from "./format.ts";

type Of<Name extends Kind["kind"]> = Extract<Kind, { readonly kind: Name }>;

/** What the generator has for elements. */
export interface SaveParts {
  readonly text: UnitText;
  readonly versionOf: VersionOf;
  fixed(kind: Kind, x: string, p: string, versionId: number): string;
  variable(kind: Kind, x: string, versionId: number): string;
  /** The function of a description's checks and fields. */
  bodyFunction(description: Description): string;
  /** The fields of a description, without a header. */
  body(description: Description, x: string): string;
  /** Code that is one struct deeper. */
  deeper(code: string): string;
}

export class ListsSave {
  readonly #parts: SaveParts;

  constructor(parts: SaveParts) {
    this.#parts = parts;
  }

  /** All elements of an array; room for those of fixed size is made once. */
  each(element: Kind, x: string, n: string, versionId: number): string {
    const [i, y] = [this.#parts.text.fresh("i"), this.#parts.text.fresh()];
    const size = fixedSize(element, versionId, this.#parts.versionOf);
    const head = `for(let ${i}=0;${i}<${n};${i}++){const ${y}=${x}[${i}];`;
    return size === undefined
      ? `${head}${this.#parts.variable(element, y, versionId)}}`
      : `${room(`${n}*${size}`)}${head}${this.#parts.fixed(element, y, "p", versionId)}p+=${size};}`;
  }

  collection(
    kind: Of<"list" | "set" | "map">,
    element: Kind,
    isType: string,
    x: string,
    versionId: number,
  ): string {
    const n = this.#parts.text.fresh("n");
    const head = `{${isType}const ${n}=${x}.${kind.kind === "list" ? "length" : "size"};if(${n}>${kind.max})${bail}`;
    if (element.kind === "struct") return `${head}${this.#group(kind, element.of(), x, n, versionId)}}`;
    const count = `${room(4)}v.setUint32(p,${n},true);p+=4;`;
    if (kind.kind === "list") return `${head}${count}${this.each(element, x, n, versionId)}}`;
    const [key, y] = [this.#parts.text.fresh(), this.#parts.text.fresh()];
    const binding = kind.kind === "map" ? `[${key},${y}]` : y;
    const keyCode = kind.kind === "map" ? this.#parts.variable(kind.key, key, versionId) : "";
    return `${head}${count}for(const ${binding} of ${x}){${keyCode}${this.#parts.variable(element, y, versionId)}}}`;
  }

  /** Structs that share one header, and their subsections as columns. */
  #group(
    kind: Of<"list" | "set" | "map">,
    description: Description,
    x: string,
    n: string,
    keyVersion: number,
  ): string {
    const [start, key, y] = [this.#parts.text.fresh("p"), this.#parts.text.fresh(), this.#parts.text.fresh()];
    const loop = kind.kind === "map" ? `for(const [${key},${y}] of ${x})` : `for(const ${y} of ${x})`;
    const keyCode = kind.kind === "map" ? this.#parts.variable(kind.key, key, keyVersion) : "";
    const values = kind.kind === "map" ? `${x}.values()` : x;
    const columns = description.subsections.map((subsection) => this.#column(subsection, values)).join("");
    return `const ${start}=p;p=entry(p,${description.id},${this.#parts.versionOf(description)});${refresh}${this.#parts.deeper(
      `${room(4)}v.setUint32(p,${n},true);p+=4;${loop}{${keyCode}${this.#parts.body(description, y)}}${columns}`,
    )}patch(${start},p);`;
  }

  #column(subsection: Description, values: string): string {
    const [has, any, y, start, type, i] = ["h", "a", "t", "p", "t", "i"].map((prefix) =>
      this.#parts.text.fresh(prefix),
    );
    const { needed } = subsection.hooks;
    const isNeeded = needed === undefined ? "true" : `${this.#parts.text.constant(needed)}(${y})!==false`;
    return `{const ${has}=[];let ${any}=false,${i}=0;for(const ${y} of ${values}){const w=${isNeeded};${has}.push(w);if(w)${any}=true;}
if(${any}){const ${type}=T,${start}=p;T=${subsectionType};p=entry(p,${subsection.id},${this.#parts.versionOf(subsection)});${refresh}for(const ${y} of ${values}){${room(1)}if(${has}[${i}++]){b[p++]=1;${this.#parts.body(subsection, y!)}}else b[p++]=0;}patch(${start},p);T=${type};}}`;
  }
}
