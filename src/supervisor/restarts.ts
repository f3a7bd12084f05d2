/**
 * When a program that ended is started again.
 *
 * ```
 * on-failure   it has served, and was ended by a signal or with another status than 0
 * always       whenever it ends
 * never        not at all: the supervisor ends with its status
 * ```
 * The first restart comes at once, the next ones after 0.1, 0.2, 0.4 … 10 s. A program that has served for
 * {@link STABLE_MS} begins anew; after `limit` restarts in a row without that the service is given up.
 */
export type RestartPolicy = (typeof RESTART_POLICIES)[number];
export const RESTART_POLICIES = ["on-failure", "always", "never"] as const;

/** A program that has served as long as this has not ended because of how it was started, ms. */
export const STABLE_MS = 10_000;
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 10_000;

export interface RestartOptions {
  readonly policy: RestartPolicy;
  /** Restarts in a row. */
  readonly limit: number;
}

/** How a program ended. */
export interface Ending {
  /** Null when it was ended by a signal, or when nobody knows. */
  readonly exitCode: number | null;
  /** How long it has served, ms; null when it never did. */
  readonly servedMs: number | null;
}

export type RestartDecision =
  | { readonly kind: "restart"; readonly attempt: number; readonly delayMs: number }
  | { readonly kind: "over" }
  | { readonly kind: "given up"; readonly attempts: number };

/** Counts the restarts of one service. */
export class Restarts {
  readonly #options: RestartOptions;
  #attempts = 0;
  #hasServed = false;

  constructor(options: RestartOptions) {
    this.#options = options;
  }

  /** The service has served: what ends from now on was no mistake in how it is started. */
  served(): void {
    this.#hasServed = true;
  }

  /** What to do now that the program has ended. */
  decide({ exitCode, servedMs }: Ending): RestartDecision {
    const { policy, limit } = this.#options;
    if (policy === "never") return { kind: "over" };
    if (policy === "on-failure" && (exitCode === 0 || !this.#hasServed)) return { kind: "over" };
    if (servedMs !== null && servedMs >= STABLE_MS) this.#attempts = 0;
    if (this.#attempts >= limit) return { kind: "given up", attempts: this.#attempts };
    this.#attempts += 1;
    const delayMs = this.#attempts === 1 ? 0 : FIRST_DELAY_MS * 2 ** (this.#attempts - 2);
    return { kind: "restart", attempt: this.#attempts, delayMs: Math.min(LONGEST_DELAY_MS, delayMs) };
  }
}
