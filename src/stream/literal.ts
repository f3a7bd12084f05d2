/**
 * The one place where code is made from text. The text comes from the program's own descriptions only, never from a
 * stream or a file, and refers to values from outside by position, never by writing them down.
 */

/** Code of a function body with the parameter `k`; undefined where the platform forbids code from strings. */
export function functionFromText(text: string): ((k: readonly unknown[]) => unknown) | undefined {
  try {
    return new Function("k", text) as (k: readonly unknown[]) => unknown;
  } catch (error) {
    if (error instanceof EvalError) return undefined;
    throw error;
  }
}
