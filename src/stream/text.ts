/** Whether every surrogate is part of a pair, so that UTF-8 can say it. */
export function isWellFormed(text: string): boolean {
  return !loneSurrogate.test(text);
}

const loneSurrogate = /\p{Surrogate}/u;

/** With U+FFFD in place of each surrogate that is not part of a pair, as `toWellFormed` does it. */
export function wellFormed(text: string): string {
  return isWellFormed(text) ? text : text.replace(/\p{Surrogate}/gu, "\ufffd");
}

/** Where the first surrogate stands that is not part of a pair; -1 if there is none. */
export function loneSurrogateAt(text: string): number {
  return text.search(loneSurrogate);
}

/** Whether bytes are UTF-8 in the strict sense: shortest forms only, no surrogates, nothing above U+10FFFF. */
export function isUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  let i = start;
  while (i < end) {
    const lead = bytes[i++]!;
    if (lead < 0x80) continue;
    const more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4 || i + more > end) return false;
    const first = bytes[i]!;
    if (lead === 0xe0 && first < 0xa0) return false;
    if (lead === 0xed && first > 0x9f) return false;
    if (lead === 0xf0 && first < 0x90) return false;
    if (lead === 0xf4 && first > 0x8f) return false;
    for (const last = i + more; i < last; i++) if ((bytes[i]! & 0xc0) !== 0x80) return false;
  }
  return true;
}
