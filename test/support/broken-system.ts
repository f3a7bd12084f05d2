import { readdirSync } from "node:fs";
import { KstateError } from "#src/error/index.js";
import { type SupervisorSystem, supervisorSystem } from "#src/supervisor/system.js";

/** How many descriptors this process has open. */
export function descriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

/** The real system, of which the call that is named fails. */
export class BrokenSystem {
  /** Null: nothing fails; `count` calls go well before. */
  broken: { readonly call: keyof SupervisorSystem; count: number } | null = null;
  readonly system: SupervisorSystem;

  constructor() {
    this.system = new Proxy(supervisorSystem, {
      get: (target, name: keyof SupervisorSystem) => {
        if (this.broken?.call !== name || this.broken.count-- > 0) return target[name];
        return () => {
          throw new KstateError("SYSTEM_CALL", `${name} failed: out of order (EIO)`, {
            call: name,
            errno: "EIO",
          });
        };
      },
    });
  }
}
