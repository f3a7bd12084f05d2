import { readFileSync } from "node:fs";
import { char, defineState, folio, i32, pointer, struct, u16, u32, u64 } from "kstate";

interface GoldenCase {
  readonly name: string;
  readonly hex: string;
}

const file = new URL("../../../test/golden/kernel-streams.json", import.meta.url);
const { cases } = JSON.parse(readFileSync(file, "utf8")) as { cases: GoldenCase[] };

/** The bytes that the kernel's own algorithm wrote. */
export function kernelStream(name: string): Uint8Array {
  const found = cases.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`no golden case ${name}`);
  return Uint8Array.from(Buffer.from(found.hex, "hex"));
}

export const kernelCaseNames = cases.map(({ name }) => name);

export const testV1 = defineState({
  name: "test",
  id: 3,
  versionId: 1,
  fields: [
    ["s", char(10)],
    ["pUlong", pointer(u64)],
    ["folio", folio()],
  ],
});

export const subV2 = defineState({ name: "test_v2", id: 4, versionId: 1, fields: [["i", i32]] });

export const testV2 = defineState({
  name: "test",
  id: 3,
  versionId: 2,
  fields: [
    ["s", char(10)],
    ["pUlong", pointer(u64)],
    ["folio", folio()],
    ["k", u16.until(1)],
  ],
  subsections: [subV2],
});

export const testV1WithK = defineState({
  name: "test",
  id: 3,
  versionId: 1,
  fields: [
    ["s", char(10)],
    ["pUlong", pointer(u64)],
    ["folio", folio()],
    ["k", u16],
  ],
});

export const testVForm = defineState({
  name: "test",
  id: 3,
  versionId: 2,
  fields: [
    ["s", char(10)],
    ["i", i32.since(2)],
    ["pUlong", pointer(u64)],
  ],
});

export const inner = defineState({
  name: "inner",
  id: 201,
  versionId: 5,
  fields: [
    ["lo", u32],
    ["hi", u64],
  ],
});

export const outer = defineState({
  name: "outer",
  id: 200,
  versionId: 2,
  fields: [
    ["before", u16],
    ["in", struct(inner)],
    ["after", u16],
  ],
});

export const reservedMem = defineState({
  name: "reserved_mem",
  id: 5,
  fields: [
    ["name", char(16)],
    ["start", u64],
    ["size", u64],
  ],
});

export function seedState() {
  return { s: "abcdefghk", pUlong: { value: 20n }, folio: { address: 0x1234000n } };
}
