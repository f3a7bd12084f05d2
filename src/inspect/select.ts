import type { EntryHead, InspectEvent } from "./events.ts";
import { instanceSegment } from "./walk-stream.ts";

/** A place in a stream: `sections/player/7/hp`. A `/` inside of a name or key is written %2F. */
export interface StreamPath {
  readonly name: string;
  /** All instances unless given. */
  readonly instance: string | undefined;
  /** Below the instance. */
  readonly segments: readonly string[];
}

/** Reads a path; undefined if it is none. */
export function parsePath(text: string): StreamPath | undefined {
  const [root, name, instance, ...segments] = text.split("/").map(decoded);
  if (root !== "sections" || name === undefined || name === "") return undefined;
  return { name, instance, segments: segments[0] === "fields" ? segments.slice(1) : segments };
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/** Whether a section lies on the path. */
export function isOnPath({ name, instance }: StreamPath, head: EntryHead): boolean {
  const isNamed = head.name === name || String(head.id) === name;
  return isNamed && (instance === undefined || instance === instanceSegment(head));
}

/**
 * Only what lies under the path, without what is around it. `subsections` before a subsection's name may be left out.
 */
export function* selected(events: Iterable<InspectEvent>, { segments }: StreamPath): Generator<InspectEvent> {
  if (segments.length === 0) return yield* sectionsOf(events);
  const wanted = segments.filter(
    (segment, index) => segment !== "subsections" || index === segments.length - 1,
  );
  const open: string[] = [];
  for (const event of events) {
    if (event.type === "damage") yield event;
    else if (event.type === "open") {
      if (event.form !== "section") open.push(event.segment);
      if (isUnder(open, wanted)) yield event;
    } else if (event.type === "close") {
      if (isUnder(open, wanted)) yield event;
      if (event.form !== "section") open.pop();
    } else if (event.type === "leaf" && isUnder([...open, event.segment], wanted)) yield event;
  }
}

/** Without what stands around the sections. */
function* sectionsOf(events: Iterable<InspectEvent>): Generator<InspectEvent> {
  let depth = 0;
  for (const event of events) {
    if (event.type === "open") depth += 1;
    if (depth > 0 || event.type === "damage") yield event;
    if (event.type === "close") depth -= 1;
  }
}

function isUnder(open: readonly string[], wanted: readonly string[]): boolean {
  return open.length >= wanted.length && wanted.every((segment, index) => segment === open[index]);
}
