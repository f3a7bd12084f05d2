import assert from "node:assert/strict";
import { test } from "node:test";
import {
  beginning,
  isSettled,
  type Plan,
  serving,
  type Transition,
  transitions,
  verdictOf,
  violations,
  type World,
} from "./update-model.ts";

interface Node {
  readonly world: World;
  readonly from: Node | null;
  readonly label: string;
  /** Who leads here without a failure. */
  readonly before: Node[];
}

/** How a state came about, for whoever has to find out. */
function story(node: Node): string {
  const labels: string[] = [];
  for (let at: Node | null = node; at !== null; at = at.from) labels.unshift(at.label);
  return `${labels.join("\n")}\n${JSON.stringify(node.world)}`;
}

/** Every state that can be reached, each once. */
function explore(first: World, next: (world: World) => Transition[]): Node[] {
  const begin: Node = { world: first, from: null, label: "begin", before: [] };
  const nodes = [begin];
  const known = new Map([[JSON.stringify(first), begin]]);
  for (let at = 0; at < nodes.length; at += 1) {
    const node = nodes[at]!;
    for (const { label, next: world, isFailure } of next(node.world)) {
      const key = JSON.stringify(world);
      let found = known.get(key);
      if (found === undefined) {
        found = { world, from: node, label, before: [] };
        known.set(key, found);
        nodes.push(found);
      }
      if (!isFailure) found.before.push(node);
    }
  }
  return nodes;
}

/** The nodes from which a good one can be reached without anything more going wrong. */
function leadingTo(nodes: readonly Node[], good: (world: World) => boolean): Set<Node> {
  const found = new Set(nodes.filter(({ world }) => good(world)));
  const open = [...found];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    for (const before of node.before) {
      if (found.has(before)) continue;
      found.add(before);
      open.push(before);
    }
  }
  return found;
}

/** Fails with the story of the first state in which a promise is broken, or from which nobody ever serves. */
function assertKept(nodes: readonly Node[]): void {
  for (const node of nodes) {
    const [broken] = violations(node.world);
    if (broken !== undefined) assert.fail(`${broken}:\n${story(node)}`);
  }
  const good = leadingTo(nodes, isSettled);
  const stuck = nodes.find((node) => !good.has(node));
  if (stuck !== undefined) assert.fail(`nobody will ever serve again:\n${story(stuck)}`);
}

const outcomeOf = (world: World): string =>
  `${world.supervisor.outcome} ${verdictOf(world)} ${serving(world)}`;

const OUTCOMES = ["committed COMMITTED successor", "cancelled CANCELLED old", "crashed COMMITTED fresh"];

for (const rehearse of [false, true]) {
  test(`all interleavings of an update ${rehearse ? "with a rehearsal " : ""}and four failures keep every promise`, (t) => {
    const nodes = explore(beginning(4), (world) => transitions(world, { rehearse, standby: false }));
    assertKept(nodes);
    const outcomes = new Set(nodes.map(({ world }) => outcomeOf(world)));
    for (const outcome of OUTCOMES) assert.ok(outcomes.has(outcome), `${outcome} is never reached`);
    t.diagnostic(`${nodes.length} states`);
    assert.ok(nodes.length > 10_000, `only ${nodes.length} states`);
  });
}

for (const [updates, failures, rehearse] of [
  [2, 4, true],
  [3, 3, false],
] as const) {
  test(`${updates} updates in a row, also back to a standby, and ${failures} failures keep every promise`, (t) => {
    const plan: Plan = { rehearse, standby: true };
    const nodes = explore(beginning(failures, updates), (world) => transitions(world, plan));
    assertKept(nodes);
    const begun = new Set(
      nodes
        .filter(({ world, from }) => from !== null && world.updates < from.world.updates)
        .map((node) => `${outcomeOf(node.from!.world)}, ${node.label}`),
    );
    for (const before of OUTCOMES) {
      for (const next of ["an update begins", "a rollback to a program that stands by begins"])
        assert.ok(begun.has(`${before}, ${next}`), `${next} never comes after ${before}`);
    }
    const last = new Set(
      nodes.filter(({ world }) => world.updates === 0).map(({ world }) => outcomeOf(world)),
    );
    for (const outcome of OUTCOMES) assert.ok(last.has(outcome), `the last never ends as ${outcome}`);
    t.diagnostic(`${nodes.length} states`);
    assert.ok(nodes.length > 10_000, `only ${nodes.length} states`);
  });
}

test("the model check finds a supervisor that takes a commit back, and an old program that thaws after it", () => {
  const broken = (change: (world: World) => void): string =>
    explore(beginning(1), (world) =>
      transitions(world, { rehearse: false, standby: false }).map((transition) => {
        const next = structuredClone(transition.next);
        change(next);
        return { ...transition, next };
      }),
    )
      .flatMap(({ world }) => violations(world))
      .join("\n");
  const takenBack = broken((world) => {
    if (world.supervisor.outcome === "crashed") world.supervisor.outcome = "cancelled";
  });
  assert.match(takenBack, /a commit was taken back/);
  const thawed = broken((world) => {
    if (world.old.state.phase === "left" && world.old.alive) world.old.state = { phase: "serving" };
  });
  assert.match(thawed, /the old program serves after the commit|two programs serve/);
});
