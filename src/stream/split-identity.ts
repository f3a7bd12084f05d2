/**
 * Refuses to save an object that a load would make two of: one that a `ref` points to and that is also owned (as a struct,
 * a record or a variant) in the same section, or registered by itself. Numbers of references count only objects behind
 * `ref`, so the stream cannot say that both are one.
 *
 * Both codecs are followed by the same walk. It is made only where the descriptions let it happen: where something that
 * is owned or registered has a member's name in common with something that is pointed to.
 */

import { type Description, type FieldModel, isDeprecated, reachable } from "../description/index.ts";
import { memberLists, OwnershipWalk, ownershipOf } from "./ownership-walk.ts";
import type { Trace } from "./trace.ts";

/** A registered object that is saved by itself. */
export interface Root {
  readonly description: Description;
  readonly object: object;
  /** What messages call it. */
  readonly text: string;
}

interface Plan {
  /** Names of the members that objects behind references have; empty if nothing is pointed to. */
  readonly names: ReadonlySet<string>;
  /** Whether something that is owned has one of the names. */
  readonly isMixed: boolean;
}

const plans = new WeakMap<Description, Plan>();

/** Asked after each section of one stream. */
export class SplitIdentity {
  readonly #versionOf: (description: Description) => number;
  readonly #roots: () => Iterable<Root>;
  #rootOf: Map<object, Root> | undefined;
  #rootNames: ReadonlySet<string> | undefined;
  #idle: Description | undefined;

  constructor(versionOf: (description: Description) => number, roots: () => Iterable<Root>) {
    this.#versionOf = versionOf;
    this.#roots = roots;
  }

  /** Throws `IDENTITY_SPLIT` if a load would make two objects of one. */
  check(section: Description, state: object, trace: Trace): void {
    if (section === this.#idle) return;
    const plan = planOf(section);
    const withRoots = plan.names.size > 0 && !isApart(plan.names, this.#namesOfRoots());
    if (!plan.isMixed && !withRoots) {
      this.#idle = section;
      return;
    }
    const split = this.#find(section, state, plan, withRoots);
    if (split !== undefined) throw this.#refusal(section, state, split, trace);
  }

  #find(section: Description, state: object, plan: Plan, withRoots: boolean): object | undefined {
    const pointed = new Set<object>();
    const owned: object[] = [];
    const sharing = new Map<readonly FieldModel[], boolean>();
    const mayBePointedTo = (fields: readonly FieldModel[]) => {
      const known = sharing.get(fields) ?? !isApart(plan.names, namesOf([fields]));
      sharing.set(fields, known);
      return known;
    };
    new OwnershipWalk(this.#versionOf, {
      owned: (fields, object) => {
        if (mayBePointedTo(fields)) owned.push(object);
      },
      pointed: (object) => pointed.add(object),
    }).run(section, state);
    if (pointed.size === 0) return undefined;
    for (const object of owned) if (pointed.has(object)) return object;
    if (withRoots) {
      const roots = this.#mapOfRoots();
      for (const object of pointed) if (roots.has(object)) return object;
    }
    return undefined;
  }

  /** Only now it matters where they stand. */
  #refusal(section: Description, state: object, split: object, trace: Trace): Error {
    const places: { owned?: string; pointed?: string } = {};
    new OwnershipWalk(
      this.#versionOf,
      {
        owned: (_fields, object, place) => {
          if (object === split) places.owned ??= place();
        },
        pointed: (object, place) => {
          if (object === split) places.pointed ??= place();
        },
      },
      String(trace),
    ).run(section, state);
    const root = places.owned === undefined ? this.#mapOfRoots().get(split) : undefined;
    const other = places.owned ?? root?.text ?? String(trace);
    const fact =
      root === undefined
        ? `the object that this ref points to is owned at ${other}, and a load would make two of it; describe both places as ref`
        : `the object that this ref points to is registered as ${other}, and a load would make two of it; save its id instead, or register only one object that holds all of them as ref`;
    trace.start(places.pointed ?? String(trace));
    return trace.error("IDENTITY_SPLIT", -1, fact, { other });
  }

  #mapOfRoots(): ReadonlyMap<object, Root> {
    this.#rootOf ??= new Map(Array.from(this.#roots(), (root) => [root.object, root]));
    return this.#rootOf;
  }

  #namesOfRoots(): ReadonlySet<string> {
    if (this.#rootNames !== undefined) return this.#rootNames;
    const descriptions = new Set<Description>();
    for (const { description } of this.#roots()) descriptions.add(description);
    this.#rootNames = namesOf([...descriptions].flatMap(memberLists));
    return this.#rootNames;
  }
}

function planOf(section: Description): Plan {
  const known = plans.get(section);
  if (known !== undefined) return known;
  const owned: (readonly FieldModel[])[] = [];
  const pointed = new Set<Description>();
  for (const { fields } of reachable([section])) {
    for (const field of fields) {
      if (isDeprecated(field)) continue;
      const found = ownershipOf(field.kind);
      owned.push(...found.owned);
      for (const description of found.pointed) pointed.add(description);
    }
  }
  const names = namesOf([...pointed].flatMap(memberLists));
  const plan = { names, isMixed: !isApart(names, namesOf(owned)) };
  plans.set(section, plan);
  return plan;
}

function namesOf(lists: readonly (readonly FieldModel[])[]): ReadonlySet<string> {
  return new Set(lists.flatMap((fields) => fields.map(({ name }) => name)));
}

function isApart(some: ReadonlySet<string>, others: ReadonlySet<string>): boolean {
  for (const name of some) if (others.has(name)) return false;
  return true;
}
