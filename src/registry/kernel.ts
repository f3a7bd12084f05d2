import {
  type Description,
  type FieldModel,
  isInVersion,
  type Kind,
  nestedKinds,
} from "../description/index.ts";
import { KstateError } from "../error/index.ts";
import { type InstanceId, instanceText } from "./instance.ts";

const kernelKinds = new Set<Kind["kind"]>([
  ...([
    "u8",
    "u16",
    "u32",
    "u64",
    "i8",
    "i16",
    "i32",
    "i64",
    "u64.safe",
    "i64.safe",
    "f32",
    "f64",
    "bool",
  ] as const),
  ...([
    "char",
    "bytes",
    "array",
    "pointer",
    "pointerArray",
    "struct",
    "address",
    "folio",
    "custom",
    "unused",
  ] as const),
]);

/** Throws `KERNEL_CANNOT_READ` if a description would write something that the kernel's code does not know. */
export function assertKernelCanRead(
  description: Description,
  versionOf: (description: Description) => number,
  isNested = false,
): void {
  if (description.id === 0)
    fail(description, null, "the kernel takes the id 0 for the end of the stream; use another");
  if (isNested && description.subsections.length > 0) {
    fail(
      description,
      null,
      "the kernel neither writes nor reads subsections of nested structs; make them fields",
    );
  }
  for (const field of description.fields) {
    if (!isInVersion(field, versionOf(description))) continue;
    if (field.conditions.length > 0) fail(description, field, "the kernel has no when()");
    assertKind(description, field, field.kind, versionOf);
  }
  for (const subsection of description.subsections) assertKernelCanRead(subsection, versionOf);
}

/** The entries of a stream for a kernel, which finds each by id and instance alone, sections and subsections alike. */
export class KernelPlaces {
  readonly #owners = new Map<string, string>();

  /** Throws `KERNEL_CANNOT_READ` if there is one of that id and instance already. */
  add(own: Description, section: Description, instanceId: InstanceId, wireId: number): void {
    const place = `${own.id} ${wireId}`;
    const owner =
      own === section ? "a section of its own" : `a subsection of ${instanceText(section.name, instanceId)}`;
    const other = this.#owners.get(place);
    if (other !== undefined) {
      const what = `${own.name}#${wireId} is ${other} and ${owner}`;
      fail(own, null, `${what}, which the kernel cannot tell apart; give one of them another instance id`);
    }
    this.#owners.set(place, owner);
  }
}

function assertKind(
  description: Description,
  field: FieldModel,
  kind: Kind,
  versionOf: (description: Description) => number,
): void {
  if (!kernelKinds.has(kind.kind)) {
    fail(
      description,
      field,
      `the kernel has no ${kind.kind}; use a kernel kind, or save with the trailer for kstate`,
    );
  }
  if (kind.kind === "struct") assertKernelCanRead(kind.of(), versionOf, true);
  for (const nested of nestedKinds(kind)) assertKind(description, field, nested, versionOf);
}

function fail(description: Description, field: FieldModel | null, problem: string): never {
  const where = field === null ? description.name : `${description.name}.${field.name}`;
  throw new KstateError("KERNEL_CANNOT_READ", `cannot save ${where} without a trailer: ${problem}`, {
    description: description.name,
    field: field?.name ?? null,
    problem,
  });
}
