import type { ByteSource } from "./byte-window.ts";
import type { InspectEvent, LeafEvent } from "./events.ts";
import { hexOf, shortened, valueText } from "./value-text.ts";

const width = 16;
const textLimit = 400;

/** Every byte with what it belongs to, sixteen on a line. */
export function* hexLines(events: Iterable<InspectEvent>, source: ByteSource): Generator<string> {
  const open: string[] = [];
  for (const event of events) {
    if (event.type === "open") open.push(event.segment);
    else if (event.type === "close") open.pop();
    else if (event.type === "damage") yield `${place(event.offset)}  DAMAGED: ${event.problem}`;
    else {
      const text =
        event.type === "mark"
          ? markText(open, event.what)
          : `${[...open, event.segment].join("/")}${textOf(event)}`;
      yield* rows(source, event, shortened(text, textLimit));
    }
  }
}

function markText(open: readonly string[], what: string): string {
  return open.length === 0 ? what : `${open.join("/")}: ${what}`;
}

function textOf({ form, value, kind }: LeafEvent): string {
  if (form === "raw" || form === "bytes" || form === "unused") return ` (${kind})`;
  return ` = ${valueText(value, 60)}`;
}

function* rows(
  source: ByteSource,
  { offset, size }: { readonly offset: number; readonly size: number },
  text: string,
): Generator<string> {
  for (let at = 0; at < size; at += width) {
    const bytes = hexOf(source.read(offset + at, Math.min(width, size - at))).replaceAll(/..(?!$)/g, "$& ");
    yield `${place(offset + at)}  ${bytes.padEnd(width * 3 - 1)}  ${at === 0 ? text : ""}`.trimEnd();
  }
}

function place(offset: number): string {
  return offset.toString(16).padStart(8, "0");
}
