import { KstateError } from "../error/index.ts";
import { createMemfd } from "../memory/index.ts";
import { descriptorSource } from "./byte-places.ts";
import type { Waiting } from "./carrier.ts";
import { ImageReader } from "./image-reader.ts";

/** Reads an image that arrives on a descriptor, to its end. What comes can be had once, so it is in memory then. */
export function readStream(name: string, descriptor: number): Waiting {
  const reader = new ImageReader(descriptorSource(name, descriptor));
  if (reader.record.digest !== "sha256") {
    const problem = "it has no digest, so it was not made to be sent";
    throw new KstateError("IMAGE_INVALID", `cannot resume from ${name}: ${problem}`, {
      carrier: name,
      offset: 0,
      problem,
    });
  }
  const memory = reader.restore(createMemfd(reader.record.capacity));
  return { name, record: reader.record, isHeld: true, restore: () => memory, finish: () => {} };
}
