/** Whether every surrogate is part of a pair, so that UTF-8 can say it. */
export function isWellFormed(text: string): boolean {
  return !loneSurrogate.test(text);
}

const loneSurrogate = /\p{Surrogate}/u;
