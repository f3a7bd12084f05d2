import assert from "node:assert/strict";
import { test } from "node:test";
import { defineState, f64, list, Registry, record, typedArray, u32 } from "kstate";
import { saveInto } from "#src/live/save-into.js";
import { createMemfd, duplicate, HANDOVER, openDescriptor, PhysicalMemory } from "#src/memory/index.js";

const MiB = 1024 * 1024;
const description = defineState({
  name: "large",
  id: 1,
  fields: [
    [
      "points",
      list(
        record([
          ["id", u32],
          ["x", f64],
        ]),
        { max: 1_000_000 },
      ),
    ],
    ["samples", typedArray(f64, { max: 10_000_000 })],
  ],
});

function stateOf(value: number) {
  return {
    points: Array.from({ length: 200_000 }, (_, id) => ({ id, x: id + value })),
    samples: new Float64Array(3 * MiB).fill(value),
  };
}

/** How much more memory array buffers take after a call than before. A copy that was made in it is still counted. */
function grownBy(call: () => void): number {
  const before = process.memoryUsage();
  call();
  const after = process.memoryUsage();
  return Math.max(after.arrayBuffers - before.arrayBuffers, after.external - before.external);
}

test("an update saves straight into physical memory and loads straight from it, without a copy of the stream", () => {
  const backEnd = createMemfd(256 * MiB);
  const memory = PhysicalMemory.create(backEnd);
  const [old, next] = [new Registry(), new Registry()];
  old.register(description, stateOf(0.5));
  const loaded = stateOf(7);
  next.register(description, loaded);
  const room = memory.alloc(64 * MiB);
  assert.ok(room.bytes.length > 26 * MiB);
  const streamSize = old.save({ dataChecksum: false }).length;
  assert.ok(streamSize > 26 * MiB);
  assert.ok(grownBy(() => old.save({ dataChecksum: false })) > 26 * MiB, "a copy would be noticed");

  const options = { name: HANDOVER, state: "PENDING", generation: 1, dataChecksum: false } as const;
  const saving = grownBy(() => saveInto(memory, old, room, options));
  assert.ok(saving < MiB, `saving made ${saving} bytes of buffers`);

  const successor = PhysicalMemory.attach(openDescriptor(duplicate(backEnd.descriptor)));
  const { bytes } = successor.stream(HANDOVER)!;
  assert.equal(bytes.length, streamSize);
  const { samples } = loaded;
  const loading = grownBy(() => void next.load(bytes, { undo: false }));
  assert.ok(loading < MiB, `loading made ${loading} bytes of buffers`);
  assert.equal(loaded.samples, samples, "into the array that is there");
  assert.deepEqual([samples[0], samples.at(-1), loaded.points[199_999]?.x], [0.5, 0.5, 199_999.5]);
  assert.deepEqual([old.codecUse.referenceSaves, next.codecUse.referenceLoads], [0, 0]);
});
