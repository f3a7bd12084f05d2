/** Generates the functions that fill a list of fields, in their three forms. */

import { type FieldModel, isDeprecated, isInVersion, type Kind } from "../description/index.ts";
import { blankText, isReused } from "./compile-fill-kinds.ts";
import type { Around, FillParts, Form } from "./compile-fill-parts.ts";
import { fixedSize } from "./compile-plan.ts";
import { conditionText, subjectsOf } from "./compile-subjects.ts";
import { at, member } from "./compile-text.ts";
import { zeroOf } from "./zero.ts";

export class FieldsFill {
  readonly #parts: FillParts;

  constructor(parts: FillParts) {
    this.#parts = parts;
  }

  /** The function of a form for these fields. */
  fields(form: Form, fields: readonly FieldModel[], around: Around, tag = ""): string {
    const key = `${form}${this.#parts.text.id(fields)}_${around.versionId}_${this.#parts.text.id(around.description)}`;
    return this.#parts.text.named(key, (name) => {
      const isFixed = this.#parts.sizeOf(fields, around) !== undefined;
      const isLiteral = form === "make" && !this.#needsObjectFirst(fields, around);
      const parameters = [...(form === "make" ? [] : ["o"]), ...(isFixed ? ["p", "v", "b"] : [])].join(",");
      const start = isFixed ? "" : "const v=V,b=B;let p=P;";
      const end = isFixed ? "" : "P=p;";
      if (isLiteral) {
        const { code, members } = this.#literal(fields, around);
        return `function ${name}(${parameters}){${start}${code}${end}return {${[tag, ...members].filter((part) => part !== "").join(",")}};}`;
      }
      const object = form === "make" ? `const o=${tag === "" ? blankText([fields]) : `{${tag}}`};` : "";
      const existing = form === "into" ? "into" : "set";
      return `function ${name}(${parameters}){${start}${object}${this.#assign(existing, fields, around)}${end}${form === "make" ? "return o;" : ""}}`;
    });
  }

  #needsObjectFirst(fields: readonly FieldModel[], { versionId }: Around): boolean {
    return fields.some(
      (field) => isDeprecated(field) && field.load !== undefined && isInVersion(field, versionId),
    );
  }

  #literal(fields: readonly FieldModel[], around: Around): { code: string; members: string[] } {
    const members: string[] = [];
    const code = this.#walk(fields, around, (field, read) => {
      if (isDeprecated(field)) return read === undefined ? "" : read("", "");
      const x = this.#parts.text.fresh();
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
      if (read === undefined) return this.absent(form, field, around);
      const existing = form === "into" && isReused(field.kind) ? place : "";
      const otherwise = field.conditions.length > 0 ? `else{${this.absent(form, field, around)}}` : "";
      const x = this.#parts.text.fresh();
      if (form === "into" && field.kind.kind === "equal") {
        const description = this.#parts.text.constant(around.description);
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
    const x = this.#parts.text.fresh();
    const [load, known] = [field.load, description].map((value) => this.#parts.text.constant(value));
    return `{let ${x};${read(x, "", `later(${load},${known},o,${x});`)}}`;
  }

  #initial(field: FieldModel): string {
    if (field.fallback !== undefined) return `${this.#parts.text.constant(field.fallback)}()`;
    const zero = zeroOf(field.kind.kind === "struct" ? { kind: "u8" } : field.kind);
    if (field.kind.kind !== "struct" && (typeof zero !== "object" || zero === null)) {
      if (typeof zero === "bigint")
        return field.kind.kind === "address" ? this.#zero(field.kind) : `${zero}n`;
      return zero === undefined ? "undefined" : JSON.stringify(zero);
    }
    return this.#zero(field.kind);
  }

  #zero(kind: Kind): string {
    return `zeroOf(${this.#parts.text.constant(kind)})`;
  }

  absent(form: "set" | "into", field: FieldModel, { description }: Around): string {
    const place = `o${member(field.name)}`;
    if (form === "set" || field.fallback !== undefined) return `${place}=${this.#initial(field)};`;
    return `if(${place}===undefined)${place}=${this.#initial(field)};else A.keep(${this.#parts.text.constant(description)},${JSON.stringify(field.name)});`;
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
    const subjects = subjectsOf(fields, versionId, () => this.#parts.text.fresh("w"));
    const inner = { ...around, subjects };
    const isFixed = this.#parts.sizeOf(fields, around) !== undefined;
    let code = [...subjects.values()].map((name) => `let ${name};`).join("");
    let offset = 0;
    for (const field of fields) {
      if (field.kind.kind === "unused") {
        if (!isInVersion(field, versionId)) continue;
        const skip = `p+=${field.kind.size};`;
        if (isFixed) offset += field.kind.size;
        else
          code +=
            field.conditions.length > 0
              ? `${conditionText(this.#parts.text, field, subjects)}{${skip}}`
              : skip;
        continue;
      }
      if (!isInVersion(field, versionId)) {
        code += each(field, undefined);
        continue;
      }
      const place = at("p", offset);
      const size = fixedSize(field.kind, versionId, this.#parts.versionOf);
      code += each(field, (x, existing, more = "") => {
        const subject = subjects.get(field);
        const target = x === "" && subject !== undefined ? subject : x;
        const copy = subject === undefined || target === subject ? "" : `${subject}=${x};`;
        const condition = conditionText(this.#parts.text, field, subjects);
        const body = this.#parts.read(field.kind, target, existing, inner, isFixed ? place : undefined);
        return condition === "" ? `${body}${copy}${more}` : `${condition}{${body}${copy}${more}}`;
      });
      if (isFixed) offset += size!;
    }
    return code;
  }
}
