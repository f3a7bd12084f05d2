// The data sets: made from a fixed seed, the same for everybody, and compared member by member.

/** A small generator of pseudo-random numbers (mulberry32). */
function randomFrom(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const names = ["Ann", "Björn", "Chloé", "Dmitri", "Emeka", "Fatima", "Grace", "Hiro", "Ines", "Jürgen"];
const streets = ["Main Street", "Rue de la Paix", "Königsallee", "Via Roma", "Calle Mayor", "大通り"];
const tags = ["new", "vip", "beta", "staff", "muted", "trial", "eu-west", "us-east"];
const countries = ["DE", "FR", "US", "JP", "NG", "BR", "IN"];

function text(random, length) {
  let result = "";
  for (let i = 0; i < length; i++) result += String.fromCharCode(97 + Math.floor(random() * 26));
  return Buffer.from(result, "latin1").toString("latin1");
}

/** `size` 1 is the full data set, smaller ones are for quick runs. */
export const dataSets = {
  records: {
    title: "(a) records of 7 numbers",
    count: (size) => Math.round(1_000_000 * size),
    make(count) {
      const random = randomFrom(1);
      return Array.from({ length: count }, (_, id) => ({
        id,
        x: random() * 1000,
        y: random() * 1000,
        vx: Math.fround(random() - 0.5),
        vy: Math.fround(random() - 0.5),
        hp: Math.floor(random() * 65536),
        team: Math.floor(random() * 8),
      }));
    },
    /** Other values in objects of the same shape, to be loaded into. */
    other: (count) =>
      Array.from({ length: count }, () => ({ id: 0, x: 0.5, y: 0.5, vx: 0.5, vy: 0.5, hp: 0, team: 0 })),
  },
  users: {
    title: "(b) users with strings",
    count: (size) => Math.round(200_000 * size),
    make(count) {
      const random = randomFrom(2);
      const pick = (list) => list[Math.floor(random() * list.length)];
      return Array.from({ length: count }, (_, id) => ({
        id,
        name: `${pick(names)} ${text(random, 8)}`,
        email: `${text(random, 8)}@${text(random, 6)}.example`,
        country: pick(countries),
        age: random() < 0.3 ? null : 18 + Math.floor(random() * 60),
        bio: random() < 0.5 ? null : text(random, 40),
        address: { street: `${pick(streets)} ${1 + Math.floor(random() * 200)}`, zip: text(random, 5) },
        tags: Array.from({ length: Math.floor(random() * 4) }, () => pick(tags)),
        scores: Array.from({ length: Math.floor(random() * 6) }, () => Math.floor(random() * 65536)),
        active: random() < 0.5,
      }));
    },
  },
  map: {
    title: "(c) Map of strings to 100 bytes",
    count: (size) => Math.round(500_000 * size),
    make(count) {
      const random = randomFrom(3);
      const map = new Map();
      for (let i = 0; i < count; i++) {
        const value = new Uint8Array(100);
        for (let j = 0; j < 100; j += 10) value[j] = Math.floor(random() * 256);
        map.set(`${text(random, 6)}:${i}`, value);
      }
      return map;
    },
  },
  floats: {
    title: "(d) Float64Array",
    count: (size) => Math.round(8 * 1024 * 1024 * size),
    make(count) {
      const random = randomFrom(4);
      return Float64Array.from({ length: count }, () => random());
    },
    other: (count) => new Float64Array(count),
  },
  graph: {
    title: "(e) graph with cycles",
    count: (size) => Math.round(200_000 * size),
    make(count) {
      const random = randomFrom(5);
      const nodes = Array.from({ length: count }, (_, id) => ({
        id,
        weight: random(),
        next: null,
        links: [],
      }));
      nodes.forEach((node, i) => {
        // Pairs are cycles; other links go back, so that those who recurse get through.
        node.next = nodes[Math.min(i ^ 1, count - 1)];
        for (let j = 0; j < 2; j++) node.links.push(nodes[Math.floor(random() * (i + 1))]);
      });
      return nodes;
    },
  },
  chain: {
    title: "(e) chain",
    count: (size) => Math.round(1_000_000 * size),
    make(count) {
      const nodes = Array.from({ length: count }, (_, id) => ({ id, weight: id / 7, next: null, links: [] }));
      for (let i = 1; i < count; i++) nodes[i - 1].next = nodes[i];
      return nodes[0];
    },
  },
};

/** Whether two values are the same, for each data set; graphs by walking along the numbers of the nodes. */
export function isSame(name, a, b) {
  if (name === "graph") return a.length === b.length && a.every((node, i) => isSameNode(node, b[i], b));
  if (name === "chain") return isSameChain(a, b);
  if (name === "floats") return a.length === b.length && a.every((value, i) => value === b[i]);
  if (name === "map") {
    if (!(b instanceof Map) || a.size !== b.size) return false;
    for (const [key, value] of a)
      if (Buffer.compare(value, b.get(key) ?? new Uint8Array(0)) !== 0) return false;
    return true;
  }
  return a.length === b.length && a.every((value, i) => isSameValue(value, b[i]));
}

function isSameNode(node, other, others) {
  return (
    node.id === other.id &&
    node.weight === other.weight &&
    other.next === others[node.next.id] &&
    node.links.length === other.links.length &&
    node.links.every((link, i) => other.links[i] === others[link.id])
  );
}

function isSameChain(a, b) {
  let other = b;
  for (let node = a; node !== null; node = node.next) {
    if (other === null || node.id !== other.id || node.weight !== other.weight) return false;
    other = other.next;
  }
  return other === null;
}

function isSameValue(a, b) {
  if (typeof a !== "object" || a === null) return a === (b ?? null);
  if (Array.isArray(a)) return a.length === b.length && a.every((value, i) => isSameValue(value, b[i]));
  return Object.keys(a).every((key) => isSameValue(a[key], b[key]));
}
