import { KstateError } from "../error/index.ts";
import type { Carrier } from "./carrier.ts";
import { daxCarrier, type FileOptions, fileCarrier } from "./file-carrier.ts";
import { luoCarrier } from "./luo-carrier.ts";

/** How a carrier is written: `file:PATH`, `luo:SESSION`, `dax:PATH`. Paths are absolute. */
export interface CarrierAddress {
  readonly kind: "file" | "luo" | "dax";
  readonly place: string;
}

const MAX_SESSION_BYTES = 63;

/** Reads an address; `CARRIER_FAILED` says what is wrong with it. */
export function parseCarrier(text: string): CarrierAddress {
  const [, kind, place] = /^(file|luo|dax):(.+)$/.exec(text) ?? [];
  const problem =
    kind === undefined || place === undefined
      ? `write file:PATH, luo:SESSION or dax:PATH${text.includes("/") && !text.includes(":") ? `, here file:${text}` : ""}`
      : kind !== "luo" && !place.startsWith("/")
        ? "the path is not absolute"
        : kind === "luo" && Buffer.byteLength(place) > MAX_SESSION_BYTES
          ? `a session's name has at most ${MAX_SESSION_BYTES} bytes`
          : undefined;
  if (problem === undefined) return { kind: kind as CarrierAddress["kind"], place: place! };
  throw new KstateError("CARRIER_FAILED", `cannot use ${JSON.stringify(text)} as a carrier: ${problem}`, {
    carrier: text,
    problem,
  });
}

/** The carrier of an address. */
export function openCarrier(text: string, options: FileOptions = {}): Carrier {
  const { kind, place } = parseCarrier(text);
  switch (kind) {
    case "file":
      return fileCarrier(place, options);
    case "luo":
      return luoCarrier(place);
    case "dax":
      return daxCarrier(place);
  }
}
