/**
 * Generates `fill`: the second pass, over bytes that were checked. Functions for a list of fields come in three forms:
 * `make` gives a new object, from one literal where nobody wants to see it before; `set` fills an object that was just
 * made; `into` fills one that has values, re-using what it holds.
 *
 * Where the fields have a fixed size they stand at `p`, and the caller goes on; otherwise the closure's `P` says where
 * they begin and, afterwards, where they end.
 */

import type { Description, FieldModel, Kind } from "../description/index.ts";
import { FieldsFill } from "./compile-fill-fields.ts";
import { isReused, scalarText } from "./compile-fill-kinds.ts";
import { ListsFill } from "./compile-fill-lists.ts";
import { ObjectsFill } from "./compile-fill-objects.ts";
import type { Around, FillParts, Form } from "./compile-fill-parts.ts";
import { fieldsSize, fixedSize, type VersionOf } from "./compile-plan.ts";
import { countText, type Subjects } from "./compile-subjects.ts";
import { member, type UnitText } from "./compile-text.ts";
import { isTypedName } from "./typed.ts";
import { isBare } from "./zero.ts";

type Of<Name extends Kind["kind"]> = Extract<Kind, { readonly kind: Name }>;

/** Statements that pass over a value at `p`. */
type Skip = (kind: Kind, versionId: number, subjects: Subjects) => string;

const none: Subjects = new Map();

export class FillGenerator implements FillParts {
  readonly text: UnitText;
  readonly versionOf: VersionOf;
  readonly #fieldsFill = new FieldsFill(this);
  readonly #lists = new ListsFill(this);
  readonly #objects = new ObjectsFill(this);
  #skip: Skip | undefined;
  #root: Description | undefined;
  #fieldOfTexts = 0;

  constructor(text: UnitText, versionOf: VersionOf) {
    this.text = text;
    this.versionOf = versionOf;
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

  fields(form: Form, fields: readonly FieldModel[], around: Around, tag?: string): string {
    return this.#fieldsFill.fields(form, fields, around, tag);
  }

  absent(form: "set" | "into", field: FieldModel, around: Around): string {
    return this.#fieldsFill.absent(form, field, around);
  }

  bodyCall(form: Form, description: Description, o: string, p: string | undefined): string {
    return this.#objects.bodyCall(form, description, o, p);
  }

  groupCall(form: Form, description: Description, o: string, columns: string): string {
    return this.#objects.groupCall(form, description, o, columns);
  }

  aroundOf(description: Description): Around {
    return { versionId: this.versionOf(description), description, subjects: none };
  }

  sizeOf(fields: readonly FieldModel[], { versionId }: Around): number | undefined {
    return fieldsSize(fields, versionId, this.versionOf);
  }

  /** Fills the variable `o` from `p`, which nobody needs afterwards. */
  #call(form: "set" | "into", description: Description, o: string): string {
    const around = this.aroundOf(description);
    const fn = this.fields(form, description.fields, around);
    return this.sizeOf(description.fields, around) === undefined ? `${fn}(${o});` : `${fn}(${o},p,v,b);`;
  }

  /** Statements that read one value for whoever checks it; `x` is declared. */
  readAt(kind: Kind, x: string, p: string, versionId: number): string {
    const around = { versionId, description: this.#root!, subjects: none };
    return fixedSize(kind, versionId, this.versionOf) === undefined
      ? `P=${p};${this.variable(kind, x, "", around)}`
      : this.fixed(kind, x, p, "", around);
  }

  /** Reads at `place`, or at `p`, which is then moved on. */
  read(kind: Kind, x: string, existing: string, around: Around, place: string | undefined): string {
    if (place !== undefined) return x === "" ? "" : this.fixed(kind, x, place, existing, around);
    const size = fixedSize(kind, around.versionId, this.versionOf);
    if (size !== undefined) {
      return `${x === "" ? "" : this.fixed(kind, x, "p", existing, around)}p+=${size};`;
    }
    if (x === "") return this.#skip!(kind, around.versionId, around.subjects);
    return `P=p;${this.variable(kind, x, existing, around)}p=P;`;
  }

  /** `x = ` what stands at `p`; its size is known. */
  fixed(kind: Kind, x: string, p: string, existing: string, around: Around): string {
    const scalar = scalarText(this.text, kind, p);
    if (scalar !== undefined) return `${x}=${scalar};`;
    switch (kind.kind) {
      case "bytes":
        return `${x}=bytes(b,${p},${kind.size},${existing || "undefined"});`;
      case "bitmap":
        return `${x}=bytesAt(b,${p},${Math.ceil(kind.count / 8)},${existing || "undefined"},A);`;
      case "array":
      case "pointerArray": {
        if (kind.kind === "array" && isTypedName(kind.element.kind)) {
          return `${x}=typedAt(${JSON.stringify(kind.element.kind)},b,${p},${kind.count},${existing || "undefined"},A);`;
        }
        return this.#lists.fixedList(kind.element, String(kind.count), x, p, existing, around);
      }
      case "pointer":
        return this.#pointer(kind, x, existing, (y, inner) => this.fixed(kind.element, y, p, inner, around));
      case "equal":
        return this.fixed(kind.element, x, p, existing, around);
      case "record":
        return this.object(x, existing, (form, o) => this.#callFixed(form, kind.fields, around, o, p));
      case "struct":
        return this.#objects.struct(kind.of(), x, existing, p);
      default:
        throw new Error(`${kind.kind} has no fixed size`);
    }
  }

  #callFixed(form: Form, fields: readonly FieldModel[], around: Around, o: string, p: string): string {
    const fn = this.fields(form, fields, around);
    return form === "make" ? `${fn}(${p},v,b)` : `${fn}(${o},${p},v,b)`;
  }

  /** `x = ` an object: the one that is there if nothing else of the stream was put into it, else a new one. */
  object(x: string, existing: string, call: (form: Form, o: string) => string): string {
    if (existing === "") return `${x}=${call("make", "")};`;
    const y = this.text.fresh();
    return `{const ${y}=${existing};if(claim(${y})){${call("into", y)};${x}=${y};}else ${x}=${call("make", "")};}`;
  }

  #pointer(
    { element }: Of<"pointer">,
    x: string,
    existing: string,
    read: (y: string, existing: string) => string,
  ): string {
    if (isBare(element)) return read(x, existing);
    const [y, box] = [this.text.fresh(), this.text.fresh()];
    const make = `let ${y};${read(y, "")}${x}={value:${y}};`;
    if (existing === "") return `{${make}}`;
    const inner = isReused(element) ? `${box}.value` : "";
    return `{const ${box}=${existing};if(!claim(${box})){${make}}else{let ${y};${read(y, inner)}${box}.value=${y};${x}=${box};}}`;
  }

  /** `x = ` what begins at `P`; `P` is moved behind it. */
  variable(kind: Kind, x: string, existing: string, around: Around): string {
    const { versionId } = around;
    const size = fixedSize(kind, versionId, this.versionOf);
    const old = existing || "undefined";
    if (size !== undefined) {
      return `{const p=P;${this.fixed(kind, x, "p", existing, around)}P+=${size};}`;
    }
    switch (kind.kind) {
      case "string":
        return `${x}=text(${this.#fieldOfTexts++ & 255});`;
      case "json":
        return `${x}=JSON.parse(uniqueText());`;
      case "blob":
        return `${x}=blob(${old});`;
      case "typedArray":
        return `${x}=typed(${JSON.stringify(kind.element)},${old});`;
      case "custom":
        return `${x}=customValue();`;
      case "optional":
        return `if(B[P++]===0)${x}=null;else{${this.variable(kind.element, x, existing, around)}}`;
      case "pointer":
        return this.#pointer(kind, x, existing, (y, inner) => this.variable(kind.element, y, inner, around));
      case "equal":
        return this.variable(kind.element, x, existing, around);
      case "array":
        if (isTypedName(kind.element.kind)) {
          return `${x}=typedAt(${JSON.stringify(kind.element.kind)},B,P,${kind.count},${old},A);P+=${x}.byteLength;`;
        }
        return this.#lists.list(kind.element, String(kind.count), x, existing, around);
      case "pointerArray": {
        const n =
          typeof kind.count === "number" ? String(kind.count) : countText(kind.count, around.subjects);
        return this.#lists.list(kind.element, n, x, existing, around);
      }
      case "record":
        return this.object(x, existing, (form, o) => `${this.fields(form, kind.fields, around)}(${o})`);
      case "struct":
        return this.#objects.struct(kind.of(), x, existing, undefined);
      case "list":
        return this.#lists.counted(kind.element, (element, n) =>
          this.#lists.list(element, n, x, existing, around, true),
        );
      case "set":
        return this.#lists.set(kind, x, existing, around);
      case "map":
        return this.#lists.map(kind, x, existing, around);
      case "oneOf":
        return this.#oneOf(kind, x, existing, around);
      case "ref":
        return `${x}=${this.#objects.refFunction(kind.of())}(${old});`;
      default:
        throw new Error(`${kind.kind} cannot be filled in`);
    }
  }

  #oneOf(kind: Of<"oneOf">, x: string, existing: string, around: Around): string {
    const cases = kind.variants.map(({ name, fields }, i) => {
      const tag = `${JSON.stringify(kind.tag)}:${JSON.stringify(name)}`;
      const size = this.sizeOf(fields, around);
      const call = (form: Form, o: string) => {
        const fn = this.fields(form, fields, around, tag);
        if (size === undefined) return `${fn}(${o})`;
        return form === "make" ? `${fn}(P,V,B)` : `${fn}(${o},P,V,B)`;
      };
      const next = size === undefined ? "" : `P+=${size};`;
      const y = this.text.fresh();
      const body =
        existing === ""
          ? `${x}=${call("make", "")};`
          : `{const ${y}=${existing};if(typeof ${y}==="object"&&${y}!==null&&${y}${member(kind.tag)}===${JSON.stringify(name)}&&claim(${y})){${call("into", y)};${x}=${y};}else ${x}=${call("make", "")};}`;
      return `case ${i}:${body}${next}break;`;
    });
    return `P+=2;switch(V.getUint16(P-2,true)){${cases.join("")}}`;
  }
}
