/** Generates code that writes lists, sets and maps. */

import { type Description, type Kind, limitOf } from "../description/index.ts";
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

  /**
   * All elements of an array; room for those of fixed size is made once. Their count was written before: whoever changed
   * it meanwhile is found out at the end, here and in sets and maps.
   */
  each(element: Kind, x: string, n: string, versionId: number): string {
    const [i, y] = [this.#parts.text.fresh("i"), this.#parts.text.fresh()];
    const size = fixedSize(element, versionId, this.#parts.versionOf);
    const head = `for(let ${i}=0;${i}<${n};${i}++){const ${y}=${x}[${i}];`;
    const end = `if(${x}.length!==${n})${bail}`;
    return size === undefined
      ? `${head}${this.#parts.variable(element, y, versionId)}}${end}`
      : `${room(`${n}*${size}`)}${head}${this.#parts.fixed(element, y, "p", versionId)}p+=${size};}${end}`;
  }

  collection(
    kind: Of<"list" | "set" | "map">,
    element: Kind,
    isType: string,
    x: string,
    versionId: number,
  ): string {
    const n = this.#parts.text.fresh("n");
    const head = `{${isType}const ${n}=${x}.${kind.kind === "list" ? "length" : "size"};if(${n}>${limitOf(kind)})${bail}`;
    if (element.kind === "struct") return `${head}${this.#group(kind, element.of(), x, n, versionId)}}`;
    const count = `${room(4)}v.setUint32(p,${n},true);p+=4;`;
    if (kind.kind === "list") return `${head}${count}${this.each(element, x, n, versionId)}}`;
    const [key, y] = [this.#parts.text.fresh(), this.#parts.text.fresh()];
    const write =
      kind.kind === "map"
        ? this.#parts.variable(strict(kind.key), key, versionId) + this.#parts.variable(element, y, versionId)
        : this.#parts.variable(strict(element), y, versionId);
    return `${head}${count}${this.#walk(kind, x, n, key, y, write)}}`;
  }

  /** All elements of a set or a map, or the structs of a list. */
  #walk(
    kind: Of<"list" | "set" | "map">,
    x: string,
    n: string,
    key: string,
    y: string,
    write: string,
  ): string {
    if (kind.kind === "list") {
      const i = this.#parts.text.fresh("i");
      return `for(let ${i}=0;${i}<${n};${i}++){const ${y}=${x}[${i}];${write}}if(${x}.length!==${n})${bail}`;
    }
    const w = this.#parts.text.fresh("w");
    const binding = kind.kind === "map" ? `[${key},${y}]` : y;
    return `if(!isPlainCollection(${x}))${bail}let ${w}=0;for(const ${binding} of ${x}){if(${w}++===${n})${bail}${write}}if(${w}!==${n}||${x}.size!==${n})${bail}`;
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
    const keyCode = kind.kind === "map" ? this.#parts.variable(strict(kind.key), key, keyVersion) : "";
    const { declared, note, columns } = this.#columns(description, kind, x, n, y);
    const loop = this.#walk(kind, x, n, key, y, `${note}${keyCode}${this.#parts.body(description, y)}`);
    return `const ${start}=p;p=entry(p,${description.id},${this.#parts.versionOf(description)});${refresh}${this.#parts.deeper(
      `${room(4)}v.setUint32(p,${n},true);p+=4;${declared}${loop}${columns}`,
    )}patch(${start},p);`;
  }

  /** Subsections are those of the objects that were written, whatever the collection has by then. */
  #columns(
    { subsections }: Description,
    { kind }: Of<"list" | "set" | "map">,
    x: string,
    n: string,
    y: string,
  ) {
    if (subsections.length === 0) return { declared: "", note: "", columns: "" };
    const values = this.#parts.text.fresh("l");
    const all = subsections.map((subsection) => this.#column(subsection, values)).join("");
    return {
      declared: `const ${values}=[];`,
      note: `${values}.push(${y});`,
      columns: `${all}if(${x}.${kind === "list" ? "length" : "size"}!==${n})${bail}`,
    };
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

/** Keys are not mended here: two that become one are for the reference to find out. */
function strict(kind: Kind): Kind {
  if (kind.kind === "optional") return { ...kind, element: strict(kind.element) };
  if (kind.kind === "string" || kind.kind === "char") return { ...kind, lone: "refuse" };
  return kind;
}
