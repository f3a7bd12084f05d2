import { type FieldList, fieldModels } from "./field.ts";
import { guarded } from "./guard.ts";
import type { FieldsState, Flat, SubsectionsState } from "./infer.ts";
import { target } from "./kernel-kinds.ts";
import type { Check, Description, FieldModel, Hooks, LoadInfo, Waiver } from "./model.ts";
import { validateDescription } from "./validate.ts";

/** What `defineState` takes. */
export interface StateOptions<Fields extends FieldList, Subsections extends readonly Description[], State> {
  /** Unique among all descriptions of a program; letters, digits and `_ . / -`. */
  readonly name: string;
  /** Unique among all descriptions of a program, never used again for another: 0 to 2^31 - 1. */
  readonly id: number;
  /** The newest version, which save writes. 0 unless given. Raise it when the fields change. */
  readonly versionId?: number;
  /** The oldest version that load understands. 0 unless given. */
  readonly minVersionId?: number;
  /** Pairs of name and kind, in the stream's order. */
  readonly fields: Fields;
  /** Descriptions of further fields of the same object, which old readers ignore. None unless given. */
  readonly subsections?: Subsections;
  /** Descriptions whose instances are loaded before those of this one. A circle is an error on `register`. */
  readonly after?: readonly (Description | (() => Description))[];
  /** Before a save: bring the object into a state that can be saved. */
  readonly preSave?: (state: State) => void;
  /** After a save, whether it succeeded or not, if `preSave` succeeded. */
  readonly postSave?: (state: State) => void;
  /** Before the object is changed by a load. */
  readonly preLoad?: (state: State) => void;
  /** After fields and subsections were loaded: rebuild what is derived from them. */
  readonly postLoad?: (state: State, versionId: number, info: LoadInfo) => void;
  /** Whether to send it: a section or subsection that is not needed is left out. Always unless given. */
  readonly needed?: (state: State) => boolean;
  /** A reason why the state cannot be saved now, or null. */
  readonly block?: (state: State) => string | null | undefined;
  /** Refuses a whole object, on save and on load. */
  readonly check?: readonly [predicate: (state: State) => boolean, why: string];
  /** Makes the objects that load has to create; a plain object unless given. */
  readonly create?: () => object;
  /** Findings of `kstate check` about this description that are accepted for a time. None unless given. */
  readonly waivers?: readonly Waiver[];
}

type Defined<Fields extends FieldList, Subsections extends readonly Description[]> = Flat<
  FieldsState<Fields> & SubsectionsState<Subsections>
>;

/**
 * Describes a state: the kernel's `struct kstate_description`. The description is checked at once; the error
 * `DESCRIPTION_INVALID` names the field and what to do.
 */
export function defineState<
  const Fields extends FieldList,
  const Subsections extends readonly Description[] = readonly [],
>(
  options: StateOptions<Fields, Subsections, Defined<Fields, Subsections>>,
): Description<Defined<Fields, Subsections>> {
  const description = new StateDescription(
    options as unknown as StateOptions<FieldList, readonly Description[], unknown>,
  );
  validateDescription(description);
  return description as Description<Defined<Fields, Subsections>>;
}

/** Under this, every description keeps an error that was made where it was defined: its stack is read only when asked for. */
const definedAt = Symbol.for("kstate.definedAt");

/** The stack of the call of `defineState`, of whichever copy of kstate; undefined for other objects. */
export function definitionStack(description: Description): string | undefined {
  return (description as { readonly [definedAt]?: Error })[definedAt]?.stack;
}

class StateDescription implements Description {
  readonly name: string;
  readonly id: number;
  readonly versionId: number;
  readonly minVersionId: number;
  readonly fields: readonly FieldModel[];
  readonly subsections: readonly Description[];
  readonly hooks: Hooks;
  readonly checks: readonly Check[];
  readonly after: readonly (() => Description)[];
  readonly waivers: readonly Waiver[];

  constructor(options: StateOptions<FieldList, readonly Description[], unknown>) {
    this.name = options.name;
    this.id = options.id;
    this.versionId = options.versionId ?? 0;
    this.minVersionId = options.minVersionId ?? 0;
    this.fields = Object.freeze(fieldModels(options.fields, String(options.name)));
    this.subsections = Object.freeze([...(options.subsections ?? [])]);
    this.hooks = hooksOf(options);
    this.checks = options.check === undefined ? [] : [{ predicate: options.check[0], why: options.check[1] }];
    this.after = Object.freeze((options.after ?? []).map(target));
    this.waivers = Object.freeze([...(options.waivers ?? [])]);
    Object.defineProperty(this, definedAt, { value: new Error(String(options.name)) });
    Object.freeze(this);
  }

  toString(): string {
    return `${this.name}@${this.versionId}`;
  }
}

function hooksOf(options: StateOptions<FieldList, readonly Description[], unknown>): Hooks {
  const { name } = options;
  return {
    preSave: guarded("save", "preSave", name, options.preSave),
    postSave: guarded("save", "postSave", name, options.postSave),
    preLoad: guarded("load", "preLoad", name, options.preLoad),
    postLoad: guarded("load", "postLoad", name, options.postLoad),
    needed: guarded("save", "needed", name, options.needed),
    block: guarded("save", "block", name, options.block),
    create: guarded("load", "create", name, options.create),
  };
}
