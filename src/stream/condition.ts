import type { Condition, FieldModel } from "../description/index.ts";

/** Whether a condition holds for the value of the field that it names. Enumerations compare by their order. */
export function holds({ operator, value }: Condition, subject: FieldModel, found: unknown): boolean {
  const { kind } = subject;
  const left = (kind.kind === "enumeration" ? kind.names.indexOf(found as string) : found) as number;
  const right = (kind.kind === "enumeration" ? kind.names.indexOf(value as string) : value) as number;
  switch (operator) {
    case "==":
      return left === right;
    case "!=":
      return left !== right;
    case "<":
      return left < right;
    case "<=":
      return left <= right;
    case ">":
      return left > right;
    case ">=":
      return left >= right;
  }
}
