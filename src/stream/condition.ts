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

/** The same for a lock record's condition, whose value is text; `names` are those of an enumeration. */
export function holdsText(
  operator: string,
  text: string,
  names: readonly string[] | undefined,
  found: unknown,
): boolean {
  const value = parsedValue(text);
  const kind = names === undefined ? { kind: "u64" } : { kind: "enumeration", names };
  const left = typeof value === "number" && typeof found === "bigint" ? Number(found) : found;
  return holds({ field: "", operator, value } as Condition, { kind } as FieldModel, left);
}

function parsedValue(text: string): unknown {
  if (/^-?\d{1,20}n$/.test(text)) return BigInt(text.slice(0, -1));
  if (/^(-?Infinity|NaN|-0)$/.test(text)) return Number(text);
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" ? text : value; // nothing that can be compared is an object
  } catch {
    return text;
  }
}
