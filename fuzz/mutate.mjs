// Random numbers that can be repeated, and random damage to bytes.

/** A generator of 32-bit numbers (xorshift) that gives the same for the same seed. */
export function makeRandom(seed) {
  let state = seed | 0 || 1;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  return { next, below: (limit) => next() % limit, pick: (list) => list[next() % list.length] };
}

const interesting = [
  0, 1, 2, 3, 4, 20, 127, 128, 255, 256, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
];

/** The bytes with one to four changes; `others` are streams to take pieces from. */
export function mutated(bytes, others, random) {
  let copy = Buffer.from(bytes);
  const ways = random.below(2) === 0 ? inPlaceWays : allWays;
  for (let changes = 1 + random.below(4); changes > 0; changes--) copy = changed(copy, others, random, ways);
  return copy;
}

/** The first ways keep the length, so that the structure mostly stays whole and values are reached. */
const [inPlaceWays, allWays] = [4, 9];

function changed(bytes, others, random, ways) {
  if (bytes.length === 0) return Buffer.from(random.pick(others));
  const at = random.below(bytes.length);
  const size = Math.min(bytes.length - at, 1 + random.below(32));
  switch (random.below(ways)) {
    case 0:
      bytes[at] ^= 1 << random.below(8);
      return bytes;
    case 1:
      bytes[at] = random.next() & 255;
      return bytes;
    case 2:
      if (at + 4 <= bytes.length) bytes.writeUInt32LE(random.pick(interesting), at);
      return bytes;
    case 3:
      if (at + 2 <= bytes.length) bytes.writeUInt16LE(random.pick(interesting) & 0xffff, at);
      return bytes;
    case 4:
      return bytes.subarray(0, at);
    case 5:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + size)]);
    case 6:
      return Buffer.concat([bytes.subarray(0, at + size), bytes.subarray(at)]);
    case 7: {
      const other = random.pick(others);
      const from = random.below(other.length);
      return Buffer.concat([bytes.subarray(0, at), other.subarray(from, from + size), bytes.subarray(at)]);
    }
    default: {
      const other = random.pick(others);
      return Buffer.concat([bytes.subarray(0, at), other.subarray(random.below(other.length))]);
    }
  }
}
