/** Generates code that fills lists, sets and maps. */

import type { Description, Kind } from "../description/index.ts";
import { holdsObjects, isReused, scalarText } from "./compile-fill-kinds.ts";
import type { Around, FillParts } from "./compile-fill-parts.ts";
import { markedFill } from "./compile-marks.ts";
import { fieldsSize, fixedSize, presentFields } from "./compile-plan.ts";
import { entryHeaderSize } from "./format.ts";

type Of<Name extends Kind["kind"]> = Extract<Kind, { readonly kind: Name }>;

export class ListsFill {
  readonly #parts: FillParts;
  /** Variables with the columns of the groups that are being generated, the innermost last. */
  readonly #columns: string[] = [];

  constructor(parts: FillParts) {
    this.#parts = parts;
  }

  fixedList(element: Kind, n: string, x: string, p: string, existing: string, around: Around): string {
    const size = fixedSize(element, around.versionId, this.#parts.versionOf)!;
    const q = this.#parts.text.fresh("q");
    const read = (y: string, old: string) => this.#parts.fixed(element, y, q, old, around);
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
    const [i, y, list, kept] = ["i", "t", "a", "a"].map((prefix) => this.#parts.text.fresh(prefix)) as [
      string,
      string,
      string,
      string,
    ];
    const make = `const ${list}=${newList(n)};for(let ${i}=0;${i}<${n};${i}++){let ${y};${read(y, "")}${next}${list}[${i}]=${y};}${x}=${list};`;
    if (existing === "") return make;
    const marked =
      next === "" ? "" : this.#markedElements(element, { n, list, i, p: next.split("+=")[0]! }, around);
    const old = isReused(element) ? `(${i}<${list}.length?${list}[${i}]:undefined)` : "";
    const rest = `for(;${i}<${n};${i}++){let ${y};${read(y, old)}${next}${list}[${i}]=${y};}`;
    return `const ${kept}=${existing};if(!Array.isArray(${kept})||!claimElements(${kept},${kept}.length,${n})){${make}}else{const ${list}=${kept};let ${i}=0;${marked}${rest}${list}.length=${n};${x}=${list};}`;
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
    const size = this.#parts.sizeOf(fields, around);
    if (size === undefined) return "";
    const into = this.#parts.fields("into", fields, around);
    return (
      markedFill(this.#parts.text, {
        ...names,
        fields,
        versionId,
        size,
        offsetOf: (field) =>
          this.#parts.sizeOf(presentFields(fields.slice(0, fields.indexOf(field)), versionId), around)!,
        scalar: (kind, p) => scalarText(this.#parts.text, kind, p)!,
        into: (y) => `${into}(${y},${names.p},v,b);`,
      }) ?? ""
    );
  }

  /** Reads the count, and the header before it if the elements are structs. */
  counted(element: Kind, read: (element: Kind, n: string) => string): string {
    const n = this.#parts.text.fresh("n");
    const count = `const ${n}=V.getUint32(P,true);P+=4;`;
    if (element.kind !== "struct") return `{${count}${read(element, n)}}`;
    if (element.of().subsections.length === 0) return `{P+=${entryHeaderSize};${count}${read(element, n)}}`;
    const [columns, after] = [this.#parts.text.fresh("c"), this.#parts.text.fresh("q")];
    this.#columns.push(columns);
    const code = `{const ${columns}=columnsOf(P),${after}=endOfGroup(P);P+=${entryHeaderSize};${count}${read(element, n)}P=${after};}`;
    this.#columns.pop();
    return code;
  }

  /** `isGroup`: structs have no headers of their own. */
  list(element: Kind, n: string, x: string, existing: string, around: Around, isGroup = false): string {
    const size = isGroup
      ? this.#elementSize(element, around)
      : fixedSize(element, around.versionId, this.#parts.versionOf);
    if (size === undefined) {
      const read = (y: string, old: string) =>
        isGroup ? this.#element(element, y, old, around) : this.#parts.variable(element, y, old, around);
      return `{let p=P;const v=V,b=B;${this.#elements(element, n, x, existing, around, (y, old) => `P=p;${read(y, old)}p=P;`, "")}P=p;}`;
    }
    const read = (y: string, old: string) =>
      isGroup ? this.#elementFixed(element, y, old, around) : this.#parts.fixed(element, y, "p", old, around);
    return `{let p=P;const v=V,b=B;${this.#elements(element, n, x, existing, around, read, `p+=${size};`)}P=p;}`;
  }

  /** Structs in a group have no headers of their own. */
  #elementSize(element: Kind, around: Around): number | undefined {
    if (element.kind !== "struct") return fixedSize(element, around.versionId, this.#parts.versionOf);
    const description = element.of();
    if (description.subsections.length > 0) return undefined;
    return fieldsSize(description.fields, this.#parts.versionOf(description), this.#parts.versionOf);
  }

  #elementFixed(element: Kind, x: string, existing: string, around: Around): string {
    if (element.kind !== "struct") return this.#parts.fixed(element, x, "p", existing, around);
    return this.#groupElement(element.of(), x, existing);
  }

  #element(element: Kind, x: string, existing: string, around: Around): string {
    if (element.kind !== "struct") return this.#parts.variable(element, x, existing, around);
    return this.#groupElement(element.of(), x, existing);
  }

  /** Fixed ones stand at `p`, others at `P`. */
  #groupElement(description: Description, x: string, existing: string): string {
    if (description.subsections.length > 0) {
      const columns = this.#columns.at(-1)!;
      return this.#parts.object(x, existing, (form, o) =>
        this.#parts.groupCall(form, description, o, columns),
      );
    }
    const fixed = this.#elementSize(
      { kind: "struct", of: () => description },
      this.#parts.aroundOf(description),
    );
    const place = fixed === undefined ? undefined : "p";
    return this.#parts.object(x, existing, (form, o) => this.#parts.bodyCall(form, description, o, place));
  }

  set(kind: Of<"set">, x: string, existing: string, around: Around): string {
    const { element } = kind;
    const [set, before, i, y] = ["s", "a", "i", "t"].map((prefix) => this.#parts.text.fresh(prefix)) as [
      string,
      string,
      string,
      string,
    ];
    const read = (old: string) => this.#anyElement(element, y, old, around);
    return this.counted(element, (_, n) => {
      const fresh = `${set}=new Set();for(let ${i}=0;${i}<${n};${i}++){let ${y};${read("")}${set}.add(${y});}`;
      if (existing === "") return `let ${set};${fresh}${x}=${set};`;
      const old = isReused(element) ? `${before}[${i}]` : "";
      const copy = isReused(element) ? `const ${before}=[...${set}];` : "";
      return `let ${set}=${existing};if(${set} instanceof Set&&claimElements(${set},${set}.size,${n})){${copy}${set}.clear();for(let ${i}=0;${i}<${n};${i}++){let ${y};${read(old)}${set}.add(${y});}}else{${fresh}}${x}=${set};`;
    });
  }

  /** An element at `P`, whatever its size. */
  #anyElement(element: Kind, x: string, existing: string, around: Around): string {
    const size = this.#elementSize(element, around);
    return size === undefined
      ? this.#element(element, x, existing, around)
      : `{const p=P,v=V,b=B;${this.#elementFixed(element, x, existing, around)}P+=${size};}`;
  }

  map(kind: Of<"map">, x: string, existing: string, around: Around): string {
    const { key, value } = kind;
    const [map, before, i, k, y] = ["s", "a", "i", "t", "t"].map((prefix) =>
      this.#parts.text.fresh(prefix),
    ) as [string, string, string, string, string];
    const readKey = key.kind === "string" ? `${k}=uniqueText();` : this.#anyElement(key, k, "", around);
    const loop = (n: string, old: string) =>
      `for(let ${i}=0;${i}<${n};${i}++){let ${k},${y};${readKey}${this.#anyElement(value, y, old, around)}${map}.set(${k},${y});}`;
    // Making all keys and values first and putting them in afterwards takes two thirds of the time; asking an empty Map
    // for each key, which makes the engine keep its hash while the key is still in the cache, takes two thirds again.
    const hash = key.kind === "string" ? `if(noKeys.has(${k}))throw 0;` : "";
    const plain = (n: string) =>
      `const ${before}k=${newList(n)},${before}v=${newList(n)};for(let ${i}=0;${i}<${n};${i}++){let ${k},${y};${readKey}${hash}${before}k[${i}]=${k};${this.#anyElement(value, y, "", around)}${before}v[${i}]=${y};}
for(let ${i}=0;${i}<${n};${i}++)${map}.set(${before}k[${i}],${before}v[${i}]);`;
    return this.counted(value, (_, n) => {
      if (existing === "") return `const ${map}=new Map();${plain(n)}${x}=${map};`;
      const reusing = isReused(value)
        ? `if(${map}.size>0){const ${before}=new Map(${map});${map}.clear();${loop(n, `${before}.get(${k})`)}}else{${plain(n)}}`
        : `${map}.clear();${plain(n)}`;
      return `let ${map}=${existing};if(!(${map} instanceof Map)||!claimElements(${map},${map}.size,${n}))${map}=new Map();${reusing}${x}=${map};`;
    });
  }
}

/** Where it stands, so that the engine knows each list by itself; an empty `new Array` takes room for four. */
function newList(n: string): string {
  return `${n}===0||${n}>0x1ffffff?[]:new Array(${n})`;
}
