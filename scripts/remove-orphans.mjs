import { existsSync, readdirSync, rmSync } from "node:fs";

/** Removes compiled files whose TypeScript source is gone: the compiler leaves them. */
export function removeOrphans(output, source) {
  if (!existsSync(output)) return;
  for (const path of readdirSync(output, { recursive: true })) {
    const compiled = /^(.*?)(\.d\.ts|\.js)(\.map)?$/.exec(path);
    if (compiled !== null && !existsSync(`${source}/${compiled[1]}.ts`)) rmSync(`${output}/${path}`);
  }
}
