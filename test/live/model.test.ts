import assert from "node:assert/strict";
import { test } from "node:test";
import {
  beginning,
  isSettled,
  serving,
  type Transition,
  transitions,
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

for (const rehearse of [false, true]) {
  test(`all interleavings of an update ${rehearse ? "with a rehearsal " : ""}and four failures keep every promise`, (t) => {
    const nodes = explore(beginning(4, rehearse), transitions);
    for (const node of nodes) {
      const [broken] = violations(node.world);
      if (broken !== undefined) assert.fail(`${broken}:\n${story(node)}`);
    }
    const good = leadingTo(nodes, isSettled);
    const stuck = nodes.find((node) => !good.has(node));
    if (stuck !== undefined) assert.fail(`nobody will ever serve again:\n${story(stuck)}`);
    const outcomes = new Set(
      nodes.map(({ world }) => `${world.supervisor.outcome} ${world.verdict} ${serving(world)}`),
    );
    for (const outcome of [
      "committed COMMITTED successor",
      "cancelled CANCELLED old",
      "crashed COMMITTED fresh",
    ])
      assert.ok(outcomes.has(outcome), `${outcome} is never reached: the model is wrong`);
    t.diagnostic(`${nodes.length} states`);
    assert.ok(nodes.length > 10_000, `only ${nodes.length} states`);
  });
}

test("the model check finds a supervisor that takes a commit back, and an old program that thaws after it", () => {
  const broken = (change: (world: World) => void): Transition[][] =>
    explore(beginning(1, false), (world) =>
      transitions(world).map((transition) => {
        const next = structuredClone(transition.next);
        change(next);
        return { ...transition, next };
      }),
    ).map(({ world }) => violations(world).map((sentence) => ({ sentence }) as never));
  const takenBack = broken((world) => {
    if (world.supervisor.outcome === "crashed") world.supervisor.outcome = "cancelled";
  });
  assert.match(JSON.stringify(takenBack), /a commit was taken back/);
  const thawed = broken((world) => {
    if (world.old.phase === "left") world.old.phase = "serving";
  });
  assert.match(JSON.stringify(thawed), /the old program serves after the commit|two programs serve/);
});
