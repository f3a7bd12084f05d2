import type { Description, FieldModel, Kind } from "./model.ts";

/** The kinds directly inside a kind, other than through a list of fields. */
export function nestedKinds(kind: Kind): readonly Kind[] {
  switch (kind.kind) {
    case "array":
    case "pointer":
    case "pointerArray":
    case "optional":
    case "list":
    case "set":
    case "equal":
      return [kind.element];
    case "map":
      return [kind.key, kind.value];
    default:
      return [];
  }
}

/** The lists of fields directly inside a kind. */
export function nestedFields(kind: Kind): readonly (readonly FieldModel[])[] {
  if (kind.kind === "record") return [kind.fields];
  return kind.kind === "oneOf" ? kind.variants.map(({ fields }) => fields) : [];
}

/** Whether a kind or one inside it, not looking into other descriptions, passes a test. */
export function someKind(kind: Kind, test: (kind: Kind) => boolean): boolean {
  if (test(kind)) return true;
  if (nestedKinds(kind).some((nested) => someKind(nested, test))) return true;
  return nestedFields(kind).some((fields) => fields.some((field) => someKind(field.kind, test)));
}

/** All descriptions that can be reached from these, subsections and nested ones included, each once. */
export function reachable(descriptions: Iterable<Description>): Set<Description> {
  const found = new Set<Description>(descriptions);
  for (const description of found) {
    for (const subsection of description.subsections) found.add(subsection);
    for (const field of description.fields) addOf(field.kind, found);
  }
  return found;
}

function addOf(kind: Kind, found: Set<Description>): void {
  if (kind.kind === "struct" || kind.kind === "ref") found.add(kind.of());
  for (const nested of nestedKinds(kind)) addOf(nested, found);
  for (const fields of nestedFields(kind)) for (const field of fields) addOf(field.kind, found);
}
