import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Buddy, orderFor } from "#src/memory/buddy.js";

test("an order holds what was asked for and no half of it would", () => {
  for (const [pages, order] of [
    [0, 0],
    [1, 0],
    [2, 1],
    [3, 2],
    [4, 2],
    [5, 3],
    [2 ** 20, 20],
  ] as const) {
    assert.equal(orderFor(pages), order);
  }
});

test("blocks never overlap, are aligned and inside, and everything is free again at the end", () => {
  const step = fc.oneof(
    fc.record({ alloc: fc.integer({ min: 0, max: 6 }) }),
    fc.record({ free: fc.nat() }),
    fc.record({ take: fc.nat(2000), order: fc.integer({ min: 0, max: 6 }) }),
  );
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 40 }),
      fc.integer({ min: 41, max: 2000 }),
      fc.array(step, { maxLength: 200 }),
      (start, end, steps) => {
        const buddy = new Buddy(start, end);
        assert.equal(buddy.freePages, end - start);
        const used = new Map<number, number>();
        const isFree = (page: number, order: number): boolean =>
          page >= start &&
          page + 2 ** order <= end &&
          ![...used].some(([at, size]) => at < page + 2 ** order && page < at + 2 ** size);
        for (const action of steps) {
          if ("alloc" in action) {
            const page = buddy.alloc(action.alloc);
            if (page === undefined) continue;
            assert.ok(
              page % 2 ** action.alloc === 0 && isFree(page, action.alloc),
              `block ${page} of order ${action.alloc}`,
            );
            used.set(page, action.alloc);
          } else if ("take" in action) {
            const page = action.take - (action.take % 2 ** action.order);
            const possible = isFree(page, action.order);
            assert.equal(buddy.take(page, action.order), possible, `take ${page} of order ${action.order}`);
            if (possible) used.set(page, action.order);
          } else if (used.size > 0) {
            const [page, order] = [...used][action.free % used.size]!;
            used.delete(page);
            buddy.free(page, order);
          }
        }
        for (const [page, order] of used) buddy.free(page, order);
        assert.equal(buddy.freePages, end - start);
        const fresh = new Buddy(start, end);
        for (let order = 11; order >= 0; order -= 1) {
          for (let page = fresh.alloc(order); page !== undefined; page = fresh.alloc(order)) {
            assert.equal(buddy.alloc(order), page, "what is free did not join again");
          }
        }
      },
    ),
    { numRuns: 300 },
  );
});
