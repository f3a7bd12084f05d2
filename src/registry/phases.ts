import { KstateError } from "../error/index.ts";

/** What a registry is in the middle of: a save; a stream is read and checked; objects are filled. */
export type Phase = "saving" | "reading" | "loading";

/** Calls that hooks, getters and custom readers could make meanwhile. */
export type Call = "register" | "registerAll" | "unregister" | "save" | "load";

const settled =
  "what is saved was settled when the save began, and this would be missing; register it before or afterwards";
const isRead = "a custom reader gives its value and changes nothing; register in preLoad, create or postLoad";
const halfFilled = "objects are half filled; wait until the call that fills them has returned";

/** Calls that would make nonsense of what is under way, and why. All others are fine: a hook that loads may register. */
const refused: Readonly<Record<Phase, Partial<Record<Call, string>>>> = {
  saving: {
    register: settled,
    registerAll: settled,
    unregister: "what is saved was settled when the save began; unregister it before or afterwards",
    load: "what is being saved would change; load before or afterwards",
  },
  reading: {
    register: isRead,
    registerAll: isRead,
    unregister: isRead,
    save: isRead,
    load: isRead,
  },
  loading: { save: halfFilled, load: halfFilled },
};

/** What a registry is in the middle of, outermost first: hooks may call it again. */
export class Phases {
  readonly #around: Phase[] = [];

  during<Result>(phase: Phase, run: () => Result): Result {
    this.#around.push(phase);
    try {
      return run();
    } finally {
      this.#around.pop();
    }
  }

  /** Throws `NOT_ALLOWED_NOW`; `subject` is what the call is about. */
  assertAllowed(call: Call, subject = ""): void {
    for (const phase of this.#around) {
      const why = refused[phase][call];
      if (why === undefined) continue;
      throw new KstateError("NOT_ALLOWED_NOW", `${call}(${subject}): not while ${phase}: ${why}`, {
        call,
        phase,
      });
    }
  }
}
