/** Text of generated code: names of variables, constants from outside, functions. */

/** Generated code, and the values that it refers to by their places. */
export interface Unit {
  readonly prelude: string;
  readonly own: string;
  /** Both, as the body of a function of the constants. */
  readonly text: string;
  readonly constants: readonly unknown[];
}

/** Collects what one generated unit consists of. */
export class UnitText {
  readonly constants: unknown[] = [];
  readonly #functions = new Map<string, string>();
  readonly #names = new Map<unknown, number>();
  #count = 0;

  /** A variable's name that is used nowhere else. */
  fresh(prefix = "t"): string {
    return `${prefix}${this.#count++}`;
  }

  /** The name of a value from outside. */
  constant(value: unknown): string {
    let index = this.#names.get(value);
    if (index === undefined) {
      index = this.constants.push(value) - 1;
      this.#names.set(value, index);
    }
    return `k${index}`;
  }

  /** The name of a function, generated the first time that it is asked for. Functions may call each other. */
  named(key: string, make: (name: string) => string): string {
    const name = `f_${key}`;
    if (!this.#functions.has(name)) {
      this.#functions.set(name, "");
      this.#functions.set(name, make(name));
    }
    return name;
  }

  /** A number for an object, the same for the same object: part of keys. */
  id(value: object): string {
    return this.constant(value);
  }

  /** The whole unit: what all of its use share, which knows only the first constant, and its own functions. */
  build(prelude: string, functions: string, result: string): Unit {
    const names = this.constants.map((_, i) => `const k${i}=k[${i}];`);
    const all = [functions, ...this.#functions.values()].join("\n");
    const own = `${names.slice(1).join("")}\n${all}\nreturn ${result};`;
    return {
      prelude,
      own,
      text: `"use strict";\n${names[0]}\n${prelude}\n${own}`,
      constants: this.constants,
    };
  }
}

/** `.name`, or `["na me"]`. */
export function member(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
}

/** Leaves generated code; the reference takes over. */
export const bail = "throw 0;";

/** `p` and an offset that is known when the code is generated. */
export function at(base: string, offset: number): string {
  return offset === 0 ? base : `${base}+${offset}`;
}
