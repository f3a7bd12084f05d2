/**
 * Code that was generated when the program was built, for places where none may be made from strings. A unit is known by
 * the hash of the text that would be generated here and now, so one of other descriptions, or of another version of
 * kstate, is never used.
 */

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import { functionFromText } from "./literal.ts";

/** A function of the values from outside, which the generator hands in again. */
export type CompiledUnit = (constants: readonly unknown[]) => unknown;

/** What a module has that `kstate compile` wrote: units by the hashes of their texts. */
export interface CompiledCode {
  readonly format: 1;
  readonly units: Readonly<Record<string, CompiledUnit>>;
}

const units = new Map<string, CompiledUnit>();

/**
 * Makes code known that `kstate compile` generated; the module that it writes calls this. It serves where code from
 * strings is forbidden.
 */
export function useCompiledCode(code: CompiledCode): void {
  if (code.format !== 1)
    throw new TypeError(`useCompiledCode: format ${code.format} is not 1; run kstate compile again`);
  for (const [hash, unit] of Object.entries(code.units)) units.set(hash, unit);
}

/** The unit with this text: made now, or beforehand where that is forbidden; undefined if there is none. */
export function unitOf(text: string): CompiledUnit | undefined {
  const made = functionFromText(text);
  return made ?? (units.size === 0 ? undefined : units.get(unitHash(text)));
}

export function unitHash(text: string): string {
  return bytesToHex(sha256(utf8ToBytes(text))).slice(0, 32);
}
