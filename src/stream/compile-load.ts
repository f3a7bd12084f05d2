/**
 * Generates code that loads the fields of a description, in two functions: `check` goes over the bytes, makes no
 * objects, and throws 0 at whatever is out of the ordinary, so that the reference takes over before anything was
 * changed; `fill` puts into an object what has been checked, and does not look again.
 */

import type { Description } from "../description/index.ts";
import { CheckGenerator } from "./compile-check.ts";
import { FillGenerator } from "./compile-fill.ts";
import { loadHelpers } from "./compile-load-helpers.ts";
import { loadPrelude } from "./compile-load-prelude.ts";
import type { VersionOf } from "./compile-plan.ts";
import { type Unit, UnitText } from "./compile-text.ts";

/** The text of a unit that loads a description, and the values that it refers to. */
export function loadUnit(root: Description, versionOf: VersionOf): Unit {
  const text = new UnitText();
  text.constant(loadHelpers);
  const fill = new FillGenerator(text, versionOf);
  const check = new CheckGenerator(text, versionOf, (...place) => fill.readAt(...place));
  fill.skipWith((...value) => check.skip(...value));
  const functions = [check.main(root), fill.main(root)].join("\n");
  return text.build(loadPrelude, functions, "{check,fill}");
}
