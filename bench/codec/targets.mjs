// What the codec is meant to reach, and what a run reached: every figure is a ratio within that run.

const v8Only = (peer) => peer === "v8";
const anyPeer = (peer) => !/^(kstate|ceiling|structuredClone)/.test(peer);

/** Ratios to a ceiling must be at most the target; ratios of a peer to kstate at least. */
const targets = [
  { what: "save records", data: "records", step: "save", ceiling: "ceiling: touch and memcpy", atMost: 1.2 },
  { what: "save records", data: "records", step: "save", peers: anyPeer, atLeast: 4 },
  {
    what: "load records into existing objects",
    data: "records",
    step: "load into",
    against: "load",
    peers: anyPeer,
    atLeast: 6,
  },
  { what: "load records, new objects", data: "records", step: "load", peers: anyPeer, atLeast: 1 },
  {
    what: "load records, new objects",
    data: "records",
    step: "load",
    ceiling: "ceiling: allocate",
    atMost: 1.2,
  },
  { what: "save users", data: "users", step: "save", peers: anyPeer, atLeast: 2 },
  { what: "load users", data: "users", step: "load", peers: anyPeer, atLeast: 1.2 },
  { what: "save map", data: "map", step: "save", peers: anyPeer, atLeast: 3 },
  {
    what: "load map, values are views of the stream",
    own: "kstate, zero copy",
    data: "map",
    step: "load",
    peers: anyPeer,
    atLeast: 1.2,
  },
  {
    what: "load map, values are copies",
    data: "map",
    step: "load",
    peers: anyPeer,
    ownValues: true,
    atLeast: 1.2,
  },
  { what: "save graph with cycles", data: "graph", step: "save", peers: v8Only, atLeast: 2.5 },
  { what: "load graph with cycles", data: "graph", step: "load", peers: v8Only, atLeast: 3 },
  {
    what: "save typed array",
    data: "floats",
    step: "save",
    ceiling: "ceiling: touch and memcpy",
    atMost: 1.2,
  },
  {
    what: "load typed array into an existing one",
    data: "floats",
    step: "load into",
    ceiling: "ceiling: touch and memcpy",
    atMost: 1.2,
  },
];

export function targetTable(rows) {
  const lines = targets.flatMap((target) => {
    const found = measured(target, rows);
    if (found === undefined) return [];
    const { ratio, other, isReached, isWithinSpread } = found;
    const verdict = isReached ? "reached" : isWithinSpread ? "missed by less than the spread" : "missed";
    const goal =
      target.atMost === undefined
        ? `${target.atLeast} × as fast as ${target.peers === v8Only ? "v8" : "the fastest peer"}`
        : `at most ${target.atMost} × the ${other.peer}`;
    return [`| ${target.what} | ${goal} | ${ratio.toFixed(2)} × (${other.peer}) | ${verdict} |`];
  });
  const chain = rows.filter(({ name, peer }) => name === "chain" && peer === "kstate");
  if (chain.length > 0) {
    const works = chain.every(({ failed, same }) => failed === undefined && same !== false);
    const failing = rows.filter(({ name, failed }) => name === "chain" && failed).map(({ peer }) => peer);
    const others = [...new Set(failing)].join(", ");
    lines.push(
      `| a chain of ${chain[0].count?.toLocaleString("en")} objects | works | ${others === "" ? "" : `fails for ${others}`} | ${works ? "reached" : "missed"} |`,
    );
  }
  return ["| what | target | this run | |", "| --- | --- | --- | --- |", ...lines].join("\n");
}

function measured(
  { own: name = "kstate", data, step, against = step, ceiling, peers, ownValues, atMost, atLeast },
  rows,
) {
  const find = (name, which) =>
    rows.find((row) => row.name === data && row.step === which && row.peer === name && row.cpu !== undefined);
  const own = find(name, step);
  const candidates = rows.filter(
    (row) =>
      row.name === data &&
      row.step === against &&
      row.cpu !== undefined &&
      row.same !== false &&
      isOther(row),
  );
  function isOther({ peer }) {
    return ceiling === undefined ? peers(peer) : peer === ceiling;
  }
  // A peer that gives a view of its input has not loaded anything.
  const real = candidates.filter(({ cpu, isView }) => cpu.median > 0.05 && !(ownValues && isView));
  const other = real.toSorted((a, b) => a.cpu.median - b.cpu.median)[0];
  if (own === undefined || other === undefined) return undefined;
  if (atMost !== undefined) {
    const ratio = own.cpu.median / other.cpu.median;
    return { ratio, other, isReached: ratio <= atMost, isWithinSpread: own.low <= atMost * other.cpu.median };
  }
  const ratio = other.cpu.median / own.cpu.median;
  const isWithinSpread = own.low * atLeast <= other.cpu.median;
  return { ratio, other, isReached: ratio >= atLeast, isWithinSpread };
}
