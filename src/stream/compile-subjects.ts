/** Fields that later ones of the same list ask for: for conditions and for counts. */

import type { FieldModel } from "../description/index.ts";
import { presentFields } from "./compile-plan.ts";
import type { UnitText } from "./compile-text.ts";
import { holds } from "./condition.ts";

/** With the variables that have their values; undefined there means that the field is not there. */
export type Subjects = ReadonlyMap<FieldModel, string>;

/** Which fields others of the list ask for. */
export function subjectsOf(
  fields: readonly FieldModel[],
  versionId: number,
  fresh: () => string,
): Map<FieldModel, string> {
  const present = presentFields(fields, versionId);
  const subjects = new Map<FieldModel, string>();
  for (const { conditions, kind } of present) {
    const names = conditions.map(({ field }) => field);
    if (kind.kind === "pointerArray" && typeof kind.count === "string") names.push(kind.count);
    for (const name of names) {
      const subject = present.find((other) => other.name === name);
      if (subject !== undefined && !subjects.has(subject)) subjects.set(subject, fresh());
    }
  }
  return subjects;
}

/** `if(…)` before a field that is there only under conditions. */
export function conditionText(text: UnitText, field: FieldModel, subjects: Subjects): string {
  if (field.conditions.length === 0) return "";
  const parts = field.conditions.map((condition) => {
    const [subject, name] = [...subjects].find(([other]) => other.name === condition.field)!;
    const [test, about, model] = [holds, condition, subject].map((value) => text.constant(value));
    return `${name}!==undefined&&${test}(${about},${model},${name})`;
  });
  return `if(${parts.join("&&")})`;
}

export function countText(count: string, subjects: Subjects): string {
  for (const [subject, name] of subjects) if (subject.name === count) return `Number(${name})`;
  return "0";
}
