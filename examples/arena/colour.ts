const colours = ["red", "orange", "yellow", "green", "blue", "violet"] as const;

/** The colour in which a player is drawn. */
export function colourOf(name: string): string {
  let sum = 0;
  for (const byte of Buffer.from(name)) sum += byte;
  return colours[sum % colours.length]!;
}
