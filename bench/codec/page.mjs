// The page docs/performance.md: what stands between the marks is made here, the rest is written by hand.
import { existsSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { dataSets } from "./data.mjs";
import { writePlots } from "./plots.mjs";
import { targetTable } from "./targets.mjs";

const [begin, end] = ["<!-- bench:codec begin -->", "<!-- bench:codec end -->"];

/** The page with the tables of a run; its plots are written beside it. */
export function pageWith(result, path) {
  const page = existsSync(path) ? readFileSync(path, "utf8") : `# Performance\n\n${begin}\n${end}\n`;
  const [before, rest] = page.split(begin);
  return `${before}${begin}\n\n${tables(result, writePlots(result, `${dirname(path)}/plots`))}\n${end}${rest.split(end)[1]}`;
}

function tables(result, plots) {
  const { command, isInParts, node, machine, rounds, processes, packages, rows, startUp } = result;
  const versions = Object.entries(packages)
    .map(([name, version]) => `${name} ${version}`)
    .join(", ");
  const head = `Made by \`${command}\`${isInParts ? ", one data set after another," : ""} with Node ${node} on ${machine}, shared with other programs. CPU time in milliseconds: the median of up to ${rounds} warm rounds in the middle one of ${processes === 1 ? "1 process" : `up to ${processes} processes`}, and the lowest and highest of all rounds; the first, cold round; wall time. Every result was compared with the original. Peers: ${versions}.`;
  const links = plots.map(({ file, title }) => `![${title}](plots/${file})`).join("\n\n");
  const parts = Object.entries(dataSets).map(([name, { title }]) =>
    section(
      title,
      rows.filter((row) => row.name === name),
    ),
  );
  return `${[head, "### Targets, and what was reached", targetTable(rows), links, ...parts, startUpTable(startUp)].join("\n\n")}\n`;
}

/** One section of the table. */
export function section(title, rows) {
  const count = rows.find((row) => row.count)?.count;
  const steps = ["save", "load", "load into"].map((step) =>
    table(
      step,
      rows.filter((row) => row.step === step),
    ),
  );
  return [
    `### ${title}${count === undefined ? "" : ` (${count.toLocaleString("en")})`}`,
    ...steps.filter((text) => text !== ""),
  ].join("\n\n");
}

function table(step, rows) {
  if (rows.length === 0) return "";
  const own = rows.find(({ peer }) => peer === "kstate");
  const lines = rows
    .toSorted((a, b) => (a.cpu?.median ?? 1e9) - (b.cpu?.median ?? 1e9))
    .map((row) => line(row, own));
  const title = { save: "Save", load: "Load, new objects", "load into": "Load into existing objects" }[step];
  return [
    `| ${title} | CPU | lowest to highest | cold | wall | × kstate | MiB of stream | peak MiB |`,
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ...lines,
  ].join("\n");
}

function line(row, own) {
  const name = `${row.peer}${row.mode ? `, ${row.mode}` : ""}${row.isView ? ", values are views of the input" : ""}`;
  if (row.failed) return `| ${name} | fails: ${row.failed.replaceAll("|", "/")} | | | | | | |`;
  const { cpu, wall, low, high, cold, bytes, peakMiB } = row;
  const ratio = own?.cpu === undefined ? "" : (cpu.median / own.cpu.median).toFixed(2);
  const size = bytes === undefined ? "" : (bytes / 1048576).toFixed(1);
  return `| ${name} | ${ms(cpu.median)} | ${ms(low)} to ${ms(high)} | ${cold === undefined ? "" : ms(cold.cpu)} | ${ms(wall.median)} | ${ratio} | ${size} | ${Math.round(peakMiB)} |${row.same === false ? " **not the same**" : ""}`;
}

function startUpTable(rows) {
  if (rows.length === 0) return "";
  const steps = ["define", "register", "first save", "second save", "load"];
  const lines = rows.map((row) => `| ${row.codec} | ${steps.map((step) => ms(row[step])).join(" | ")} |`);
  return [
    `### (f) ${rows[0].count.toLocaleString("en")} descriptions of 1 to 30 fields, one object each`,
    "",
    `| codec | ${steps.join(" | ")} |`,
    `| --- | ${steps.map(() => "---:").join(" | ")} |`,
    ...lines,
  ].join("\n");
}

function ms(value) {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
