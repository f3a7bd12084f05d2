/**
 * SipHash-1-3 (Aumasson and Bernstein), its lower 32 bits: whoever chooses keys but does not know `key`, of four words,
 * cannot make them collide. Of the first `length` bytes of `words`, whose last word is padded with zeros.
 */
export function sipHash(words: Int32Array, length: number, key: Int32Array): number {
  const count = (length + 3) >> 2;
  const blocks = length >> 3;
  let [v0, u0] = [key[0]! ^ 0x70736575, key[1]! ^ 0x736f6d65]; // each state is two words: v the lower, u the upper one
  let [v1, u1] = [key[2]! ^ 0x6e646f6d, key[3]! ^ 0x646f7261];
  let [v2, u2] = [key[0]! ^ 0x6e657261, key[1]! ^ 0x6c796765];
  let [v3, u3] = [key[2]! ^ 0x79746573, key[3]! ^ 0x74656462];
  // A round for each block, one for the last bytes with the length, and three to finish, in one loop.
  for (let i = 0; i < blocks + 4; i += 1) {
    let low = 0;
    let high = 0;
    if (i < blocks) {
      low = words[2 * i]!;
      high = words[2 * i + 1]!;
    } else if (i === blocks) {
      if (2 * i < count) low = words[2 * i]!;
      if (2 * i + 1 < count) high = words[2 * i + 1]!;
      high |= length << 24;
    } else if (i === blocks + 1) v2 ^= 0xff;
    v3 ^= low;
    u3 ^= high;
    let t = (v0 + v1) | 0; // v0 += v1; v1 = v1 <<< 13 ^ v0; v0 <<<= 32
    u0 = (u0 + u1 + (((v0 & v1) | ((v0 | v1) & ~t)) >>> 31)) | 0;
    v0 = t;
    t = (v1 << 13) | (u1 >>> 19);
    u1 = ((u1 << 13) | (v1 >>> 19)) ^ u0;
    v1 = t ^ v0;
    t = v0;
    v0 = u0;
    u0 = t;
    t = (v2 + v3) | 0; // v2 += v3; v3 = v3 <<< 16 ^ v2
    u2 = (u2 + u3 + (((v2 & v3) | ((v2 | v3) & ~t)) >>> 31)) | 0;
    v2 = t;
    t = (v3 << 16) | (u3 >>> 16);
    u3 = ((u3 << 16) | (v3 >>> 16)) ^ u2;
    v3 = t ^ v2;
    t = (v0 + v3) | 0; // v0 += v3; v3 = v3 <<< 21 ^ v0
    u0 = (u0 + u3 + (((v0 & v3) | ((v0 | v3) & ~t)) >>> 31)) | 0;
    v0 = t;
    t = (v3 << 21) | (u3 >>> 11);
    u3 = ((u3 << 21) | (v3 >>> 11)) ^ u0;
    v3 = t ^ v0;
    t = (v2 + v1) | 0; // v2 += v1; v1 = v1 <<< 17 ^ v2; v2 <<<= 32
    u2 = (u2 + u1 + (((v2 & v1) | ((v2 | v1) & ~t)) >>> 31)) | 0;
    v2 = t;
    t = (v1 << 17) | (u1 >>> 15);
    u1 = ((u1 << 17) | (v1 >>> 15)) ^ u2;
    v1 = t ^ v2;
    t = v2;
    v2 = u2;
    u2 = t;
    v0 ^= low;
    u0 ^= high;
  }
  return v0 ^ v1 ^ v2 ^ v3;
}
