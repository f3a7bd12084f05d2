/** What the parts of the generator of `fill` have of each other. */

import type { Description, FieldModel, Kind } from "../description/index.ts";
import type { VersionOf } from "./compile-plan.ts";
import type { Subjects } from "./compile-subjects.ts";
import type { UnitText } from "./compile-text.ts";

export type Form = "make" | "set" | "into";

/** What surrounds a value: the version of its record, the description, fields that were read already. */
export interface Around {
  readonly versionId: number;
  readonly description: Description;
  readonly subjects: Subjects;
}

/** Each gives text. `x` is the variable that gets a value, `existing` an expression for the one that is there, or empty. */
export interface FillParts {
  readonly text: UnitText;
  readonly versionOf: VersionOf;
  aroundOf(description: Description): Around;
  /** The size of all fields, if that is always the same. */
  sizeOf(fields: readonly FieldModel[], around: Around): number | undefined;
  /** `x = ` what stands at `p`; its size is known. */
  fixed(kind: Kind, x: string, p: string, existing: string, around: Around): string;
  /** `x = ` what begins at `P`; `P` is moved behind it. */
  variable(kind: Kind, x: string, existing: string, around: Around): string;
  /** Reads at `place`, or at `p`, which is then moved on. */
  read(kind: Kind, x: string, existing: string, around: Around, place: string | undefined): string;
  /** `x = ` an object: the one that is there if nothing else of the stream was put into it, else a new one. */
  object(x: string, existing: string, call: (form: Form, o: string) => string): string;
  /** The function of a form for these fields. */
  fields(form: Form, fields: readonly FieldModel[], around: Around, tag?: string): string;
  /** A field that is not in the stream. */
  absent(form: "set" | "into", field: FieldModel, around: Around): string;
  /** A call that fills or makes an object of a description, without its subsections. */
  bodyCall(form: Form, description: Description, o: string, p: string | undefined): string;
  /** A call that fills or makes an element of a group whose columns of subsections the variable `columns` has. */
  groupCall(form: Form, description: Description, o: string, columns: string): string;
}
