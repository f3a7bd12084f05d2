import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

type CollectGarbage = (options: { readonly type: "minor" }) => void;

/**
 * Gives a function that empties the part of V8's heap where new objects are made: a collection in the middle of a
 * hand-over would copy all that it has just made, which takes milliseconds. Objects survive there once, so it takes two.
 */
export function nurseryEmptier(): () => void {
  const collect = (globalThis as { gc?: CollectGarbage }).gc ?? hiddenCollector();
  return () => {
    for (let round = 0; round < 2; round += 1) collect?.({ type: "minor" });
  };
}

/** Of a program that was started without `--expose-gc`, which stays so. */
function hiddenCollector(): CollectGarbage | undefined {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("globalThis.gc") as CollectGarbage | undefined;
  setFlagsFromString("--no-expose-gc");
  return collect;
}
