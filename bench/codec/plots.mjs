// Plots of a run as SVG: one for each data set, readable on light and dark pages.
import { mkdirSync, writeFileSync } from "node:fs";
import { dataSets } from "./data.mjs";

const steps = { save: "save", load: "load, new objects", "load into": "load into existing objects" };
const [width, labelWidth, barHeight, gap] = [720, 190, 16, 5];

/** Colours that can be read on white and on black alike. */
const style = `<style>
text { font: 12px system-ui, sans-serif; fill: #7d8590 }
.title { font-weight: 600; font-size: 14px }
.own { fill: #2f81f7 } .peer { fill: #8c959f } .ceiling { fill: #bf8700 }
.grid { stroke: #8c959f; stroke-opacity: 0.35 }
</style>`;

/** Writes the plots into a folder; gives their names and titles. */
export function writePlots(result, folder) {
  mkdirSync(folder, { recursive: true });
  return Object.entries(dataSets).flatMap(([name, { title }]) => {
    const rows = result.rows.filter(
      (row) => row.name === name && row.cpu !== undefined && row.same !== false,
    );
    if (rows.length === 0) return [];
    const file = `codec-${name}.svg`;
    writeFileSync(`${folder}/${file}`, plot(title, rows));
    return [{ file, title }];
  });
}

/** Bars of CPU time on a logarithmic axis, one group for each step. */
export function plot(title, rows) {
  const shown = rows.filter(({ cpu }) => cpu.median > 0.05);
  const low = Math.floor(Math.log10(Math.min(...shown.map(({ cpu }) => cpu.median))));
  const high = Math.log10(Math.max(...shown.map(({ cpu }) => cpu.median)) * 2);
  const x = (ms) => labelWidth + ((Math.log10(ms) - low) / (high - low)) * (width - labelWidth - 20);
  const parts = [];
  let y = 48;
  for (const [step, heading] of Object.entries(steps)) {
    const group = shown.filter((row) => row.step === step).toSorted((a, b) => a.cpu.median - b.cpu.median);
    if (group.length === 0) continue;
    parts.push(`<text class="title" x="8" y="${y + 12}">${heading}</text>`);
    y += 24;
    for (const { peer, cpu } of group) {
      const kind = peer.startsWith("kstate") ? "own" : peer.startsWith("ceiling") ? "ceiling" : "peer";
      const end = Math.max(x(cpu.median), labelWidth + 1);
      parts.push(
        `<text x="${labelWidth - 8}" y="${y + 12}" text-anchor="end">${escaped(peer)}</text>`,
        `<rect class="${kind}" x="${labelWidth}" y="${y}" width="${(end - labelWidth).toFixed(1)}" height="${barHeight}" rx="2"/>`,
        `<text x="${(end + 5).toFixed(1)}" y="${y + 12}">${cpu.median >= 10 ? cpu.median.toFixed(0) : cpu.median.toFixed(1)}</text>`,
      );
      y += barHeight + gap;
    }
    y += 12;
  }
  const grid = [];
  for (let power = low; power <= high; power++) {
    const at = x(10 ** power).toFixed(1);
    grid.push(`<line class="grid" x1="${at}" y1="40" x2="${at}" y2="${y - 8}"/>`);
    grid.push(`<text x="${at}" y="36" text-anchor="middle">${(10 ** power).toLocaleString("en")}</text>`);
  }
  const head = `<text class="title" x="8" y="18">${escaped(title)}: CPU time in ms, logarithmic; shorter is better</text>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" width="${width}" height="${y}" role="img" aria-label="${escaped(title)}">\n${style}\n${[head, ...grid, ...parts].join("\n")}\n</svg>\n`;
}

function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
