import { type FieldRecord, sameName } from "../description/index.ts";

/** The fields of a list by their names, present and former, each given once. */
export class SameFields {
  readonly #fields: readonly FieldRecord[];
  readonly #byName = new Map<string, number[]>();
  /** Places of unused bytes; those before the next were given. */
  readonly #unused: number[] = [];
  #nextUnused = 0;
  readonly #taken = new Set<number>();

  constructor(fields: readonly FieldRecord[]) {
    this.#fields = fields;
    for (const [index, field] of fields.entries()) {
      if (field.kind.kind === "unused") this.#unused.push(index);
      else for (const name of [field.name, ...(field.was ?? [])]) this.#add(name, index);
    }
  }

  #add(name: string, index: number): void {
    const found = this.#byName.get(name);
    if (found === undefined) this.#byName.set(name, [index]);
    else found.push(index);
  }

  /** The place of the first that is the field and was not given yet. */
  take(field: FieldRecord): number | undefined {
    if (field.kind.kind === "unused") return this.#unused[this.#nextUnused++];
    const index = this.#find(field, this.#taken);
    if (index !== undefined) this.#taken.add(index);
    return index;
  }

  /** The first that is the field, which has a name. */
  find(field: FieldRecord): FieldRecord | undefined {
    const index = this.#find(field, new Set());
    return index === undefined ? undefined : this.#fields[index];
  }

  /** Two names of the past in common make no two fields one. */
  #find(field: FieldRecord, except: ReadonlySet<number>): number | undefined {
    const found = [field.name, ...(field.was ?? [])].flatMap((name) => {
      const isIt = (index: number) => !except.has(index) && sameName(field, this.#fields[index]!);
      return this.#byName.get(name)?.find(isIt) ?? [];
    });
    return found.length === 0 ? undefined : Math.min(...found);
  }
}
