import type { Description } from "../description/index.ts";
import { KstateError } from "../error/index.ts";

/** The place of each description in the order of loading: those named in `after` come first. */
export function loadRanks(descriptions: Iterable<Description>): ReadonlyMap<Description, number> {
  const ranks = new Map<Description, number>();
  for (const description of descriptions) addRank(description, ranks);
  return ranks;
}

/** Adds a description and those in its `after` to ranks that were made before. Throws `ORDER_CYCLE`. */
export function addRank(description: Description, ranks: Map<Description, number>): void {
  visit(description, ranks, []);
}

function visit(
  description: Description,
  ranks: Map<Description, number>,
  path: readonly Description[],
): void {
  if (ranks.has(description)) return;
  const start = path.indexOf(description);
  if (start >= 0) throw cycle([...path.slice(start), description]);
  for (const earlier of description.after) visit(earlier(), ranks, [...path, description]);
  ranks.set(description, ranks.size);
}

function cycle(path: readonly Description[]): KstateError {
  const names = path.map(({ name }) => name);
  return new KstateError(
    "ORDER_CYCLE",
    `register: there is no order of loading, because of after: ${names.join(" after ")}; remove one of them`,
    { cycle: names },
  );
}
