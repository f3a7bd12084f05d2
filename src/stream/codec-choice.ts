/**
 * Which codec serves: `auto` generates code where it is worth it and allowed, `compiled` wherever it is possible,
 * `reference` never. The bytes and objects are the same.
 */
export type CodecChoice = "auto" | "compiled" | "reference";

/** How many entries of streams went through generated code, and how many through the reference interpreter. */
export interface CodecUse {
  compiledSaves: number;
  referenceSaves: number;
  compiledLoads: number;
  referenceLoads: number;
}

export function newCodecUse(): CodecUse {
  return { compiledSaves: 0, referenceSaves: 0, compiledLoads: 0, referenceLoads: 0 };
}
