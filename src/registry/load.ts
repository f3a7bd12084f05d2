/**
 * Loading in two passes. The first reads and checks everything and changes nothing; the second puts the values
 * into the registered objects. If anything throws in the second, the objects are put back as they were.
 */

import { type Description, picture } from "../description/index.ts";
import { isKstateError, KstateError } from "../error/index.ts";
import {
  Applier,
  type Decoded,
  Decoder,
  type DueCall,
  type SectionHeaders,
  Snapshot,
} from "../stream/index.ts";
import { type InstanceId, instanceText } from "./instance.ts";
import type { LoadReport, ReportBuilder } from "./report.ts";
import type { Source } from "./source.ts";

/** Where a section goes. */
export interface Target {
  readonly description: Description;
  readonly object: object;
  readonly instanceId: InstanceId;
}

/** A section that was read and checked. */
export interface ReadSection {
  readonly target: Target;
  readonly decoded: Decoded;
}

export interface ApplyOptions {
  /** Whether objects are put back if something throws. */
  readonly undo: boolean;
}

/** Reads sections of one stream; everything that was passed over is noted in the report. */
export class SectionReader {
  readonly #source: Source;
  readonly #decoder: Decoder;

  constructor(source: Source, report: ReportBuilder) {
    this.#source = source;
    this.#decoder = new Decoder(source.bytes, {
      isForeign: source.isForeign,
      onVersion: (description, versionId) => source.assertLayout(description, versionId),
      onUnknownSubsection: (parent, id) => report.ignored(parent.name, id),
    });
  }

  /** Reads a section with the subsections that are known; the others are given to `onUnknown`. */
  read(
    { section, subsections }: SectionHeaders,
    target: Target,
    onUnknown: (subsection: SectionHeaders["section"]) => void,
  ): ReadSection {
    const { description } = target;
    const decoder = this.#decoder;
    decoder.trace.start(instanceText(description.name, target.instanceId));
    const decoded = decoder.readSection(description, section.offset);
    decoded.carried = this.#source.noteOf(section)?.carried ?? 0;
    decoded.subsections = description.subsections.map(() => undefined);
    for (const header of subsections) {
      const index = description.subsections.findIndex(({ id }) => id === header.id);
      if (index < 0) onUnknown(header);
      else
        decoded.subsections[index] = decoder.readSubsection(description.subsections[index]!, header.offset);
    }
    return { target, decoded };
  }
}

/** The second pass. */
export function applySections(
  sections: readonly ReadSection[],
  report: ReportBuilder,
  { undo }: ApplyOptions,
): LoadReport {
  const snapshot = undo ? new Snapshot() : undefined;
  for (const { target } of sections) snapshot?.add(target.description, target.object);
  const applier = new Applier({ folioAt: (address) => ({ address }) });
  let current: Target | undefined;
  let due: DueCall | undefined;
  try {
    for (const { target, decoded } of sections) {
      current = target;
      applier.applySection(decoded, target.object);
    }
    for (due of applier.due) due.call();
  } catch (error) {
    snapshot?.restore();
    throw isKstateError(error) ? error : applyFailed(current!, due, error);
  }
  for (const { target } of sections) report.restored(target);
  report.kept(applier.kept);
  return report.done();
}

function applyFailed(target: Target, due: DueCall | undefined, cause: unknown): KstateError {
  const path = instanceText(target.description.name, target.instanceId);
  const reason = `${picture(cause)}: ${String((cause as Error)?.message ?? cause)}`;
  if (due !== undefined) {
    const { hook, description } = due;
    return new KstateError(
      "HOOK_FAILED",
      `cannot load: ${hook} of ${description.name} threw ${reason}; all objects were put back`,
      { hook, description: description.name, path: description.name },
      { cause },
    );
  }
  return new KstateError(
    "APPLY_FAILED",
    `cannot load ${path}: the object did not take the values: ${reason}; all objects were put back`,
    { description: target.description.name, path },
    { cause },
  );
}
