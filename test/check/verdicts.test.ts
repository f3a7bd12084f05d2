import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type Description, isKstateError, negotiate, Registry } from "kstate";
import { type CheckResult, checkRecords, type Direction } from "#src/check/index.js";
import { createHeap, openArray, PhysicalMemory } from "#src/memory/index.js";
import {
  aliveFields,
  descriptionsOf,
  extremeState,
  type FieldSpec,
  hasArrived,
  type ProgramPair,
  type ProgramSpec,
  programPairs,
  rowPairs,
  sameName,
  seeds,
  stateOf,
  type Values,
} from "./program-pairs.ts";

const today = new Date("2026-06-01");

/** A program: the description as a section, and inside another one where the spec says so. */
class Running {
  readonly registry = new Registry();
  readonly #spec: ProgramSpec;
  readonly state: Record<string, unknown>;
  readonly inner: { one: Record<string, unknown> };

  constructor(spec: ProgramSpec, make: (spec: ProgramSpec) => Record<string, unknown>, values?: Values) {
    this.#spec = spec;
    this.state = make(spec);
    this.inner = { one: make(spec) };
    const [thing, holder] = descriptionsOf(spec, values);
    this.registry.register(thing, this.state as never);
    if (holder !== undefined) this.registry.register(holder, this.inner as never);
  }

  fill(): void {
    Object.assign(this.state, stateOf(this.#spec, seeds.own));
    Object.assign(this.inner.one, stateOf(this.#spec, seeds.own));
  }
}

/** Moves the state for real: `REFUSED`, or nothing. */
function move(from: Running, to: Running): "REFUSED" | undefined {
  try {
    const { versionIds } = negotiate(from.registry.lockRecord(), to.registry.lockRecord());
    to.registry.load(from.registry.save({ versionIds }));
    return undefined;
  } catch (error) {
    if (isKstateError(error)) return "REFUSED";
    throw error;
  }
}

const fresh = (spec: ProgramSpec) => new Running(spec, (own) => stateOf(own, seeds.before));
const running = (spec: ProgramSpec) => new Running(spec, (own) => stateOf(own, seeds.own));
const extreme = (spec: ProgramSpec) => new Running(spec, extremeState, "extreme");

function isDefinable({ old, new: next }: ProgramPair): boolean {
  try {
    for (const spec of [old, next]) running(spec);
    return true;
  } catch (error) {
    if (isKstateError(error, "DESCRIPTION_INVALID")) return false;
    throw error;
  }
}

function has(result: CheckResult, direction: Direction, ...effects: readonly string[]): boolean {
  return result.findings.some(
    (found) => effects.includes(found.effect) && found.directions.includes(direction),
  );
}

const ofValues = ["limit-changed", "range-changed", "enumeration-extended", "variants-extended"];

function dependsOnValues(result: CheckResult, direction: Direction): boolean {
  return result.findings.some(
    ({ rule, directions }) => ofValues.includes(rule) && directions.includes(direction),
  );
}

/** A field, and what it was under the same name in older versions. */
function formsOf(field: FieldSpec, { fields }: ProgramSpec): readonly FieldSpec[] {
  return fields.includes(field) ? fields.filter((other) => sameName(other, field)) : [field];
}

/** Whether fields did not arrive that the loading program wants: in an update only those that the writer has. */
function loses(direction: Direction, writer: ProgramSpec, reader: ProgramSpec, to: Running): boolean {
  const known = writer.name === reader.name ? aliveFields(writer) : [];
  const objects = reader.isNested && writer.isNested ? [to.state, to.inner.one] : [to.state];
  return aliveFields(reader)
    .filter(
      (field) =>
        direction === "rollback" ||
        formsOf(field, reader).some((form) => known.some((other) => sameName(form, other))),
    )
    .some((field) => objects.some((object) => !hasArrived(field, object[field.name])));
}

function explain(pair: ProgramPair, result: CheckResult): string {
  const rows = result.findings.map(
    ({ rule, effect, directions, message }) => `${rule} ${effect} ${directions.join("+")}: ${message}`,
  );
  return [JSON.stringify(pair), result.verdict, ...rows].join("\n");
}

describe("the checker's word and what really happens agree", () => {
  const seen = new Map<string, number>();

  test("for pairs of programs, in both directions", () => {
    fc.assert(
      fc.property(programPairs, (pair) => {
        fc.pre(isDefinable(pair));
        const { old, new: next } = pair;
        const before = running(old);
        const after = fresh(next);
        const result = checkRecords(
          { record: before.registry.lockRecord() },
          { record: after.registry.lockRecord() },
          { today },
        );
        const why = explain(pair, result);

        const isRefused = move(before, after) === "REFUSED";
        assert.equal(has(result, "update", "refused"), isRefused, `update refused\n${why}`);
        const isLost = !isRefused && loses("update", old, next, after);
        assert.equal(has(result, "update", "lost") && !isRefused, isLost, `update lost\n${why}`);
        if (!isRefused) {
          const isTooMuch = move(extreme(old), fresh(next)) === "REFUSED";
          assert.equal(isTooMuch, dependsOnValues(result, "update"), `update of extreme values\n${why}`);
        }

        after.fill();
        const back = fresh(old);
        const isBackRefused = move(after, back) === "REFUSED";
        assert.equal(has(result, "rollback", "refused"), isBackRefused, `rollback refused\n${why}`);
        if (!isRefused && !isBackRefused) {
          const isBackLost = loses("rollback", next, old, back);
          assert.equal(has(result, "rollback", "lost"), isBackLost, `rollback lost\n${why}`);
          const isTooMuch = move(extreme(next), fresh(old)) === "REFUSED";
          assert.equal(isTooMuch, dependsOnValues(result, "rollback"), `rollback of extreme values\n${why}`);
        }
        const works =
          isRefused || isLost
            ? "COLD"
            : isBackRefused || has(result, "rollback", "lost")
              ? "FORWARD_ONLY"
              : "LIVE";
        assert.equal(result.verdict === "IN_PLACE" ? "LIVE" : result.verdict, works, why);
        seen.set(works, (seen.get(works) ?? 0) + 1);
      }),
      { numRuns: 2500, seed: 20260601, includeErrorInReport: true },
    );
    for (const verdict of ["LIVE", "FORWARD_ONLY", "COLD"])
      assert.ok((seen.get(verdict) ?? 0) > 60, `${verdict} was met ${seen.get(verdict)} times`);
  });

  test("rows in place are converted exactly when it is said", () => {
    let converted = 0;
    fc.assert(
      fc.property(rowPairs, (pair) => {
        const specs = [pair.old, pair.new].map((spec) => ({ ...spec, subsections: {}, isNested: false }));
        const [old, next] = specs as [ProgramSpec, ProgramSpec];
        fc.pre(isDefinable({ old, new: next }) && [old, next].every((spec) => aliveFields(spec).length > 0));
        const [before, after] = [running(old), fresh(next)];
        const result = checkRecords(
          { record: before.registry.lockRecord() },
          { record: after.registry.lockRecord() },
          { today },
        );
        fc.pre(!has(result, "update", "refused", "lost"));
        const backEnd = createHeap(1 << 20);
        const memory = PhysicalMemory.create(backEnd);
        const rowsOf = (spec: ProgramSpec) => descriptionsOf(spec)[0] as Description<object>;
        openArray(memory, "rows", rowsOf(old), { capacity: 1 }).append(stateOf(old, seeds.own));
        const successor = PhysicalMemory.attach(backEnd);
        successor.own();
        const isSaid = result.findings.some(({ rule }) => rule === "in-place-layout-changed");
        assert.equal(
          isConverted(() => openArray(successor, "rows", rowsOf(next)).isMigrating),
          isSaid,
          explain(pair, result),
        );
        if (isSaid) converted += 1;
      }),
      { numRuns: 400, seed: 7 },
    );
    assert.ok(converted > 30, `${converted} were converted`);
  });
});

/** A row that cannot be converted is one that does not stay as it is. */
function isConverted(open: () => boolean): boolean {
  try {
    return open();
  } catch (error) {
    if (isKstateError(error, "COLLECTION_MISMATCH")) return true;
    throw error;
  }
}
