// The tables of a run, for people: on the terminal and, after a whole run, in docs/performance.md between its marks.
export const steps = ["set, new", "set, present", "get", "delete", "iterate"];
const [begin, end] = ["<!-- bench:memory begin -->", "<!-- bench:memory end -->"];
const OURS = "kstate FolioMap";

/** The page with the tables of a run in the place of those of the run before. */
export function pageWith(page, result) {
  const [before, rest] = page.split(begin);
  return `${before}${begin}\n\n${tables(result)}\n\n${end}${rest.split(end)[1]}`;
}

/** All tables of a run. */
export function tables({ node, machine, load, rows, mappings }) {
  const counts = [...new Set(rows.map(({ count }) => count))];
  return [
    `Made by \`npm run bench:memory\`, in pieces (\`--entries COUNT --only PEER --json FILE --page\`), with Node ${node} on ${machine}, load ${load} at most before. CPU time of one operation in ns, the median of the rounds in one process for each; keys are strings of some 20 characters, values 100 bytes, both orders random. "Looked up" says of how many entries, when not of all, \`set\`, \`get\` and \`delete\` were measured once all were there.`,
    ...counts.map((count) => entryTable(count, rows)),
    targets(rows, mappings),
    "Finding a map by its size, in ms after koffi was loaded, in a new process (median): attach to the memory, own it and open the map, first get.",
    mappingTable(mappings),
  ].join("\n\n");
}

function entryTable(count, rows) {
  const head = ["entries", ...steps, "bytes an entry", "rounds", "looked up"];
  const lines = rows
    .filter((row) => row.count === count)
    .map((row) => [
      row.name,
      ...[...steps, "bytes"].map((step) => row[step]?.toFixed(0) ?? "–"),
      row.failed ?? String(row.rounds),
      row.operations === row.count ? "all" : row.operations.toLocaleString("en"),
    ]);
  return markdown([[`${count.toLocaleString("en")} entries`, ...head.slice(1)], ...lines]);
}

/** What the issue asks for, and what came out. */
function targets(rows, mappings) {
  const lines = [["what", "target", "found"]];
  for (const count of new Set(rows.map((row) => row.count))) {
    const of = (name) => rows.find((row) => row.name === name && row.count === count) ?? {};
    for (const [peer, target, ratio] of [
      ["Map, own copies", "at most 3 times its time", (step) => of(OURS)[step] / of("Map, own copies")[step]],
      ["Map", "at most 3 times its time", (step) => of(OURS)[step] / of("Map")[step]],
      ["lmdb", "at least 2 times faster", (step) => of("lmdb")[step] / of(OURS)[step]],
    ]) {
      const found = ["set, new", "set, present", "get"].map((step) => [step, ratio(step)]);
      if (found.some(([, value]) => !(value > 0))) continue;
      const text = found.map(([step, value]) => `${step} ${value.toFixed(1)}`).join(", ");
      lines.push([`${count.toLocaleString("en")} entries, against ${peer}`, target, text]);
    }
  }
  const largest = mappings.at(-1);
  if (largest?.all !== undefined)
    lines.push([
      `first get with ${largest.mib} MiB present`,
      "at most 10 ms",
      `${largest.all.toFixed(1)} ms, of which ${largest.gc.toFixed(1)} in the garbage collector`,
    ]);
  return markdown(lines);
}

function mappingTable(mappings) {
  const head = ["size, MiB", "attach", "own and open", "first get", "all", "of it garbage collection"];
  const lines = mappings.map(({ mib, failed, ...ms }) => [
    String(mib),
    ...["attach", "open", "get", "all", "gc"].map((step) => ms[step]?.toFixed(2) ?? failed),
  ]);
  return markdown([head, ...lines]);
}

function markdown([head, ...lines]) {
  const rule = head.map((_, index) => (index === 0 ? "---" : "---:"));
  return [head, rule, ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
