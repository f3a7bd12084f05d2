import { type Description, picture } from "../description/index.ts";
import { type ErrorDetails, KstateError, type Place } from "../error/index.ts";

const [asName, asIndex, asKey] = [0, 1, 2];

/** The codes whose detail is a place and something more. */
type PlacedCode = {
  [Code in keyof ErrorDetails]: ErrorDetails[Code] extends Place ? Code : never;
}[keyof ErrorDetails];

/**
 * Where save or load is just now, kept so cheaply that it can always be kept: a stack of names, indices and keys.
 * When something fails, the stack still stands as it was there.
 */
export class Trace {
  description: Description | undefined;
  versionId = 0;
  readonly #call: "save" | "load";
  readonly #segments: unknown[] = [];
  readonly #forms: number[] = [];
  #root = "";

  constructor(call: "save" | "load") {
    this.#call = call;
  }

  /** Begins again at a section. */
  start(root: string): void {
    this.#root = root;
    this.#segments.length = 0;
    this.#forms.length = 0;
  }

  name(name: string): void {
    this.#segments.push(name);
    this.#forms.push(asName!);
  }

  index(index: number): void {
    this.#segments.push(index);
    this.#forms.push(asIndex!);
  }

  /** A part of a plain value: `.name`, `["na me"]` or `[4]`. */
  member(part: string | number): void {
    if (typeof part === "number") this.index(part);
    else if (/^[A-Za-z_$][\w$]*$/.test(part)) this.name(part);
    else this.key(part);
  }

  key(key: unknown): void {
    this.#segments.push(key);
    this.#forms.push(asKey!);
  }

  pop(): void {
    this.#segments.pop();
    this.#forms.pop();
  }

  /** Goes back to where it stood at a depth. */
  cut(depth: number): void {
    this.#segments.length = depth;
    this.#forms.length = depth;
  }

  get depth(): number {
    return this.#segments.length;
  }

  toString(): string {
    let text = this.#root;
    this.#segments.forEach((segment, i) => {
      const form = this.#forms[i];
      if (form === asName) text += `.${String(segment)}`;
      else text += `[${form === asIndex ? String(segment) : picture(segment)}]`;
    });
    return text;
  }

  place(offset: number): Place {
    const { description, versionId } = this;
    const path = String(this);
    return { path, description: description === undefined ? "" : `${description.name}@${versionId}`, offset };
  }

  /** An error here: `cannot load player@3 at room.members[4].hp: need 2 bytes at offset 412, 1 left`. */
  error<Code extends PlacedCode>(
    code: Code,
    offset: number,
    fact: string,
    detail: Omit<ErrorDetails[Code], keyof Place>,
    cause?: unknown,
  ): KstateError<Code> {
    const place = this.place(offset);
    const what = place.description === "" ? "" : ` ${place.description}`;
    const where = place.path === "" ? "" : ` at ${place.path}`;
    const message = `cannot ${this.#call}${what}${where}: ${fact}`;
    return new KstateError(
      code,
      message,
      { ...place, ...detail } as ErrorDetails[Code],
      cause === undefined ? {} : { cause },
    );
  }
}
