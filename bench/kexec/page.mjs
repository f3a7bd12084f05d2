// The tables of a run, for people: on the terminal and, after a whole run, in docs/performance.md between its marks.
const [begin, end] = ["<!-- bench:kexec begin -->", "<!-- bench:kexec end -->"];

/** The page with the tables of a run in the place of those of the run before. */
export function pageWith(page, result) {
  const [before, rest] = page.split(begin);
  return `${before}${begin}\n\n${tables(result)}\n\n${end}${rest.split(end)[1]}`;
}

export function tables({ node, machine, rounds, luo, pause }) {
  return [
    `Made by \`npm run bench:kexec\` with Node ${node} in QEMU under software emulation, two processors, on ${machine}; medians of ${rounds} machines.`,
    ...(pause === undefined ? [] : pauseTables(pause)),
    ...(luo === undefined ? [] : [luoTable(luo)]),
  ].join("\n\n");
}

const ms = (value) => (value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en"));

function pauseTables({ state, kexec, cold }) {
  const what = `${state.accounts.toLocaleString("en")} records on the heap and ${state.mib} MiB of numbers`;
  const rows = (phases) =>
    Object.entries(phases).map(([phase, value]) => [phase, ms(value), share(value, phases["in all"])]);
  const ratio = cold["in all"] / kexec["in all"];
  return [
    `A service with ${what} is not served, from its freeze until it serves on the next kernel with \`kstate kexec --to luo:NAME\`:`,
    markdown([["phase", "ms", "of all"], ...rows(kexec)]),
    `A program with the same state that writes it to a disk (JSON, and the numbers as they are), is started by a reset of the same machine, and reads it: ${ratio.toFixed(1)} times as long.`,
    markdown([["phase", "ms", "of all"], ...rows(cold)]),
  ];
}

const share = (value, all) => `${Math.round((100 * value) / all)} %`;

function luoTable(luo) {
  const head = [
    "MiB",
    "PRESERVE_FD, ms",
    "RETRIEVE_FD, ms",
    "keep (copy, checksums, PRESERVE_FD), ms",
    "restore (checksums, copy), ms",
    "PRESERVE_FD of the keep",
  ];
  const rows = luo.map((row) => [
    String(row.mebibytes),
    ...[row.preserveMs, row.retrieveMs, row.storeMs, row.restoreMs].map(ms),
    share(row.preserveMs, row.storeMs),
  ]);
  return markdown([head, ...rows]);
}

function markdown([head, ...rows]) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, index) => (index === 0 ? "---" : "---:"))), ...rows.map(line)].join(
    "\n",
  );
}
