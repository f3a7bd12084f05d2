// Random damage to JSON: what a program has parsed of it is a tree, whose parts are exchanged, doubled and left out.

const values = [
  null,
  true,
  false,
  0,
  -0,
  1,
  -1,
  1.5,
  255,
  256,
  4096,
  8192,
  65_536,
  0x7fffffff,
  0x80000000,
  0xffffffff,
  2 ** 53,
  1e308,
  -1e308,
  "",
  "d",
  "0",
  "__proto__",
  "constructor",
  "toString",
  "..",
  "a\0b",
  "\u001b[2J",
  "\ud800",
  "x".repeat(300),
  [],
  {},
  [[]],
];

/** A copy of a tree with one to three changes; `others` are trees to take parts from. */
export function mutatedJson(tree, others, random) {
  const copy = { root: clone(tree) };
  for (let changes = 1 + random.below(3); changes > 0; changes--) change(copy, others, random);
  return copy.root;
}

function change(copy, others, random) {
  const [parent, key] = placeIn(copy, random);
  const { [key]: value } = parent;
  switch (random.below(6)) {
    case 0:
      if (Array.isArray(parent)) parent.splice(Number(key), 1);
      else if (parent !== copy) delete parent[key];
      return;
    case 1:
      if (Array.isArray(parent)) parent.splice(Number(key), 0, clone(value));
      return;
    case 2:
      if (typeof value === "number") parent[key] = value + random.pick([-1, 1, 2 ** 31, 2 ** 32]);
      return;
    case 3: {
      const other = { root: random.pick(others) };
      const [from, name] = placeIn(other, random);
      parent[key] = clone(from[name]);
      return;
    }
    case 4:
      if (typeof value === "object" && value !== null && !Array.isArray(value))
        value[random.pick(values)] = 1;
      return;
    default:
      parent[key] = clone(random.pick(values));
  }
}

/** A random place in a tree: deeper with every second step. */
function placeIn(copy, random) {
  let [parent, key] = [copy, "root"];
  for (;;) {
    const value = parent[key];
    if (typeof value !== "object" || value === null) return [parent, key];
    const keys = Object.keys(value);
    if (keys.length === 0 || random.below(4) === 0) return [parent, key];
    [parent, key] = [value, random.pick(keys)];
  }
}

function clone(value) {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(clone);
  const copy = {};
  for (const name of Object.keys(value)) copy[name] = clone(value[name]);
  return copy;
}
