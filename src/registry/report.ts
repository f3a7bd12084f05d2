import type { KeptCounts } from "../stream/index.ts";
import type { InstanceId, InstanceName } from "./instance.ts";

/** A section or subsection of the stream that nothing was done with. */
export interface IgnoredEntry {
  /** The description around it; null for a section. */
  readonly parent: string | null;
  /** The id of its own description. */
  readonly id: number;
  /** How often. */
  readonly count: number;
}

/** A section or subsection of an unknown description that is kept as bytes and written by the next save. */
export interface CarriedReport {
  /** Its own description, as the writer called it. */
  readonly description: string;
  /** The instance; for a subsection its section's. */
  readonly instanceId: InstanceId;
  /** The description of its section; null for a section. */
  readonly parent: string | null;
  /** How many saves wrote it unread before. */
  readonly generations: number;
}

/** A field that kept the value it had, because the stream did not have it. */
export interface KeptField {
  readonly description: string;
  readonly field: string;
  /** In how many objects. */
  readonly count: number;
}

/** What a load did: every registered instance and every section of the stream is accounted for. */
export interface LoadReport {
  /** Instances that were filled from the stream. */
  readonly restored: readonly InstanceName[];
  /** Registered instances of descriptions that the writer did not know. */
  readonly new: readonly InstanceName[];
  /** Registered instances that could have been in the stream and were not, and may be missing. */
  readonly missing: readonly InstanceName[];
  readonly kept: readonly KeptField[];
  readonly ignored: readonly IgnoredEntry[];
  readonly carried: readonly CarriedReport[];
}

/** Collects a report. */
export class ReportBuilder {
  readonly #restored: InstanceName[] = [];
  readonly #new: InstanceName[] = [];
  readonly #missing: InstanceName[] = [];
  readonly #kept: KeptField[] = [];
  readonly #carried: CarriedReport[] = [];
  /** Sections of `#carried` that were not carried after all. */
  readonly #claimed = new Set<string>();
  readonly #ignored = new Map<string, { parent: string | null; id: number; count: number }>();

  restored({ description, instanceId }: Named): void {
    this.#restored.push({ description: description.name, instanceId });
  }

  new({ description, instanceId }: Named): void {
    this.#new.push({ description: description.name, instanceId });
  }

  missing({ description, instanceId }: Named): void {
    this.#missing.push({ description: description.name, instanceId });
  }

  ignored(parent: string | null, id: number): void {
    const entry = this.#ignored.get(`${parent} ${id}`) ?? { parent, id, count: 0 };
    entry.count++;
    this.#ignored.set(`${parent} ${id}`, entry);
  }

  carried(carried: CarriedReport): void {
    this.#carried.push(carried);
  }

  /** What was to be carried was registered by a hook of the same load, and filled. */
  claimed(target: Named): void {
    this.#claimed.add(nameOf(target.description.name, target.instanceId));
    this.restored(target);
  }

  kept(counts: KeptCounts): void {
    for (const [description, fields] of counts) {
      for (const [field, count] of fields) this.#kept.push({ description: description.name, field, count });
    }
  }

  done(): LoadReport {
    return {
      restored: this.#restored,
      new: this.#new,
      missing: this.#missing,
      kept: this.#kept,
      ignored: [...this.#ignored.values()],
      carried: this.#carried.filter(
        ({ parent, description, instanceId }) =>
          parent !== null || !this.#claimed.has(nameOf(description, instanceId)),
      ),
    };
  }
}

interface Named {
  readonly description: { readonly name: string };
  readonly instanceId: InstanceId;
}

function nameOf(description: string, instanceId: InstanceId): string {
  return `${description} ${JSON.stringify(instanceId)}`;
}
