/**
 * What a service manager is told of reloads (`sd_notify(3)`, `Type=notify-reload`): every RELOADING is followed by a
 * READY, however it goes, and READY comes when nothing is under way any more.
 */
export class Reloads {
  readonly #notify: (state: string) => void;
  readonly #monotonicUs: () => bigint;
  readonly #ready: () => void;
  #underWay = 0;

  /** `ready` says that the service serves. */
  constructor(notify: (state: string) => void, monotonicUs: () => bigint, ready: () => void) {
    this.#notify = notify;
    this.#monotonicUs = monotonicUs;
    this.#ready = ready;
  }

  /**
   * Says RELOADING, with the time of now, unless it has been said of what is under way; and READY when `reload` and all others
   * have ended. With `isAsked` somebody waits for a RELOADING after what he did, and hears it in any case.
   */
  async during<T>(reload: () => Promise<T>, isAsked = false): Promise<T> {
    if (isAsked || this.#underWay === 0) this.announce();
    this.#underWay += 1;
    try {
      return await reload();
    } finally {
      this.#underWay -= 1;
      if (this.#underWay === 0) this.#ready();
    }
  }

  /** Says RELOADING once more: somebody else waits for what is under way. */
  announce(): void {
    this.#notify(`RELOADING=1\nMONOTONIC_USEC=${this.#monotonicUs()}`);
  }
}
