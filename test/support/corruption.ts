/** Every prefix of a stream, the whole one left out. */
export function* cuts(stream: Uint8Array): Generator<{ readonly at: number; readonly bytes: Uint8Array }> {
  for (let at = 0; at < stream.length; at++) yield { at, bytes: stream.slice(0, at) };
}

/** The stream with each byte changed in turn, in each of these ways. */
export function* flips(
  stream: Uint8Array,
  masks: readonly number[] = [0x01, 0x80, 0xff],
): Generator<{ readonly at: number; readonly bytes: Uint8Array }> {
  for (let at = 0; at < stream.length; at++) {
    for (const mask of masks) {
      const bytes = stream.slice();
      bytes[at]! ^= mask;
      yield { at, bytes };
    }
  }
}
