export const roomNames = [
  ...["amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath", "islet", "jetty"],
  ...["knoll", "lagoon", "marsh", "night", "ocean", "plain", "quarry", "ridge", "shore", "tundra"],
] as const;
