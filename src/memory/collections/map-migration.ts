import type { CollectionMemory } from "./collection-memory.ts";
import { type Conversion, conversion, isSameRows } from "./conversion.ts";
import {
  BLOCK_HEADER_BYTES,
  HEADER,
  KEY_BYTES_MASK,
  LAYOUT_SHIFT,
  MAP,
  UNIT_MASK,
  WINDOW_SHIFT,
} from "./layout.ts";
import type { RowLayout } from "./row-layout.ts";
import { beginMigration, freeLayout, storedLayout, storeLayout } from "./stored-layout.ts";

interface Before {
  /** Of a row there. */
  readonly bytes: number;
  readonly conversion: Conversion;
  /** The row that was converted last. */
  readonly row: Uint8Array;
}

/**
 * Which layout a map's values are in. Every block says the number of its layout; those of the one before are converted
 * when they are read, until `migrateStep` has been at all of them.
 */
export class MapMigration {
  /** The number of the present layout. */
  generation: number;
  readonly #memory: CollectionMemory;
  #before: Before | undefined;

  constructor(memory: CollectionMemory) {
    this.#memory = memory;
    this.generation = memory.words[HEADER.generation]!;
  }

  get isActive(): boolean {
    return this.#before !== undefined;
  }

  /**
   * Makes `layout` the present one. `finish` ends a migration that another program had begun: two layouts at a time are
   * enough.
   */
  adopt(layout: RowLayout, finish: () => void): void {
    const memory = this.#memory;
    const stored = storedLayout(memory, HEADER.layout)!;
    if (stored.text !== layout.text) {
      if (isSameRows(stored, layout)) this.#replace(layout);
      else this.#begin(stored, layout, finish);
    }
    this.#resume(layout);
  }

  isOld(tag: number): boolean {
    return tag >>> LAYOUT_SHIFT !== this.generation;
  }

  /** How long a value of the layout before is. */
  get oldBytes(): number {
    return this.#before?.bytes ?? -1;
  }

  /** The value of an entry of the layout before, in the present one; valid until the next call. */
  converted(block: number): Uint8Array {
    const { conversion: way, row } = this.#before!;
    const window = block >>> WINDOW_SHIFT;
    const word = (block & UNIT_MASK) << 2;
    const keyWords = ((this.#memory.windows[window]![word + 1]! & KEY_BYTES_MASK) + 3) >> 2;
    const start = (word + keyWords) * 4 + BLOCK_HEADER_BYTES;
    way.convert(this.#memory.windowBytes[window]!, start, row, 0);
    return row;
  }

  /** Everything is in the present layout. */
  finish(): void {
    const memory = this.#memory;
    const number = memory.words[HEADER.before]!;
    memory.store(HEADER.before, 0);
    memory.store(HEADER.beforeBytes, 0);
    memory.journal.commit();
    this.#before = undefined;
    freeLayout(memory, number);
  }

  #resume(layout: RowLayout): void {
    const before = storedLayout(this.#memory, HEADER.before);
    if (before === undefined) return;
    this.#before = {
      bytes: before.size,
      conversion: conversion(this.#memory.name, before, layout),
      row: new Uint8Array(layout.size),
    };
  }

  /** The same rows, described in other words. */
  #replace(layout: RowLayout): void {
    const number = this.#memory.words[HEADER.layout]!;
    storeLayout(this.#memory, layout);
    this.#memory.journal.commit();
    freeLayout(this.#memory, number);
  }

  #begin(stored: RowLayout, layout: RowLayout, finish: () => void): void {
    const memory = this.#memory;
    conversion(memory.name, stored, layout); // refuses before anything is changed
    this.#resume(stored);
    if (this.isActive) finish();
    storeLayout(memory, layout);
    beginMigration(memory);
    memory.store(MAP.migrated, 0);
    memory.journal.commit();
    this.generation = memory.words[HEADER.generation]!;
  }
}
