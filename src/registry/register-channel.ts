import { channel } from "node:diagnostics_channel";
import type { Description } from "../description/index.ts";

/** Whoever subscribes to this diagnostics channel is told what is registered, by any copy of the package. */
export const registerChannel = "kstate:register";

export interface RegisterMessage {
  readonly description: Description;
}

const announced = channel(registerChannel);

export function announce(description: Description): void {
  if (announced.hasSubscribers) announced.publish({ description } satisfies RegisterMessage);
}
