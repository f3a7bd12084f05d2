import type { Finding, Severity, SourceLocation } from "./finding.ts";
import { locationText } from "./lock-file.ts";
import { type CheckReport, type ComparedSide, countsOf, subjectOf } from "./report.ts";

export interface TextOptions {
  /** Whether to colour, by escape sequences. */
  readonly colour: boolean;
  /** The lines of a source file; undefined if it cannot be read. */
  readonly linesOf: (file: string) => readonly string[] | undefined;
}

const colours = { error: 31, warning: 33, note: 36, waived: 90, bold: 1 } as const;
type Paint = (how: keyof typeof colours, text: string) => string;

/** The report for people: each finding with what it is about in the source. */
export function formatText(report: CheckReport, { colour, linesOf }: TextOptions): string {
  const paint: Paint = (how, text) => (colour ? `\u001b[${colours[how]}m${text}\u001b[0m` : text);
  return report.comparisons.map((side) => comparisonText(side, paint, linesOf)).join("\n\n");
}

function comparisonText(side: ComparedSide, paint: Paint, linesOf: TextOptions["linesOf"]): string {
  const { verdict, findings } = side;
  const blocks = findings.map((found) => findingText(found, paint, linesOf));
  const { error, warning, note, waived } = countsOf(findings);
  const counts = [
    counted(error, "error"),
    counted(warning, "warning"),
    counted(note, "note"),
    ...(waived > 0 ? [`${waived} waived`] : []),
  ];
  const remarks = [...(side.remarks ?? []), ...side.notCompared.map((text) => `not compared: ${text}`)];
  const head = `${paint("bold", verdict)}: ${side.old} → ${side.new}: ${counts.join(", ")}`;
  return [...blocks, [head, ...remarks.map((text) => `  ${text}`)].join("\n")].join("\n\n");
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function findingText(found: Finding, paint: Paint, linesOf: TextOptions["linesOf"]): string {
  const { rule, severity, directions, waiver, message, fix, source } = found;
  const label: Severity | "waived" = waiver === null ? severity : "waived";
  const lines = [
    `${paint(label, label)} ${paint("bold", subjectOf(found))}: ${message} [${rule}]`,
    `  concerns ${directions.join(" and ")}`,
  ];
  if (source !== null) lines.push(...excerpt(source, linesOf));
  if (waiver === null) lines.push(`  fix: ${fix}`);
  else lines.push(`  waived by ${waiver.owner} until ${waiver.expires}: ${waiver.why}`);
  return lines.join("\n");
}

/** The line with one before and one after it. */
function excerpt(source: SourceLocation, linesOf: TextOptions["linesOf"]): readonly string[] {
  const head = `  at ${locationText(source)}`;
  const all = linesOf(source.file);
  if (all === undefined || source.line > all.length) return [head];
  const first = Math.max(1, source.line - 1);
  const shown = all.slice(first - 1, source.line + 1);
  const width = String(first + shown.length - 1).length;
  const rows = shown.flatMap((text, index) => {
    const line = first + index;
    const row = `  ${line === source.line ? ">" : " "} ${String(line).padStart(width)} | ${text}`;
    if (line !== source.line) return [row];
    return [row, `    ${" ".repeat(width)} | ${" ".repeat(Math.max(0, source.column - 1))}^`];
  });
  return [head, ...rows];
}
