/**
 * Does what is left to do after the verdict, when nothing can be taken back any more: if it fails, that is said, and the
 * program goes on with all of its clients.
 */
export function harmless(what: string, step: () => void): void {
  try {
    step();
  } catch (error) {
    const { message } = error as Error;
    process.emitWarning(`after the update: cannot ${what}: ${message}`, "KstateWarning", "AFTER_COMMIT");
  }
}

/**
 * Hands one connection to the program's own code. What that throws is an uncaught exception, as from a listener of Node,
 * and not the end of the hand-over: the other connections begin all the same.
 */
export function handToProgram(step: () => void): void {
  try {
    step();
  } catch (error) {
    process.nextTick(() => {
      throw error;
    });
  }
}
