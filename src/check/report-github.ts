import { type CheckReport, subjectOf } from "./report.ts";

const commands = { error: "error", warning: "warning", note: "notice" } as const;

/** Workflow commands of GitHub Actions: annotations in the pull request. Waived findings are left out. */
export function formatGithub({ comparisons }: CheckReport): string {
  const lines = comparisons.flatMap(({ old, new: next, verdict, findings, remarks = [], notCompared }) => [
    ...findings
      .filter(({ waiver }) => waiver === null)
      .map((found) => {
        const { source, severity, rule, message, directions, fix } = found;
        const place =
          source === null
            ? []
            : [`file=${property(source.file)}`, `line=${source.line}`, `col=${source.column}`];
        const properties = [...place, `title=${property(`kstate ${rule}: ${subjectOf(found)}`)}`].join(",");
        const text = `${message} (${directions.join(", ")}; ${old})\nfix: ${fix}`;
        return `::${commands[severity]} ${properties}::${data(text)}`;
      }),
    ...remarks.map((text) => `::notice::${data(text)}`),
    `${verdict}: ${old} → ${next}`,
    ...notCompared.map((text) => `not compared: ${text}`),
  ]);
  return lines.join("\n");
}

function data(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function property(text: string): string {
  return data(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}
