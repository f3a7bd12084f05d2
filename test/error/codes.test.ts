import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import {
  char,
  type Description,
  defineState,
  type ErrorCode,
  equal,
  isKstateError,
  KstateError,
  list,
  negotiate,
  Registry,
  ref,
  string,
  struct,
  u8,
  u16,
} from "kstate";
import { ByteWriter, Encoder } from "#src/stream/index.js";
import { kernelStream } from "../golden/kernel.ts";

interface ErrorsDoc {
  readonly target: string;
  errorTable(): {
    readonly heading: string;
    readonly codes: { readonly code: string; readonly doc: string }[];
  }[];
  errorsPage(): string;
}
const script = new URL("../../../scripts/errors-doc.mjs", import.meta.url);
const { target, errorTable, errorsPage } = (await import(script.href)) as ErrorsDoc;

const plain = defineState({ name: "plain", id: 1, versionId: 2, minVersionId: 1, fields: [["a", u8]] });
const plainAt = (versionId: number, kind: typeof u8 | typeof u16 = u8) =>
  defineState({
    name: "plain",
    id: 1,
    versionId,
    minVersionId: Math.min(versionId, 1),
    fields: [["a", kind]],
  });

function registryOf(description: Description, object: object, instanceId: number | string = 0): Registry {
  const registry = new Registry();
  registry.register(description, object as never, instanceId);
  return registry;
}

const streamOf = (description: Description, object: object) => registryOf(description, object).save();
const plainStream = () => streamOf(plain, { a: 1 });
const load = (description: Description, object: object, stream: Uint8Array, options = {}) =>
  registryOf(description, object).load(stream, options);

/** Bytes of a stream changed, as a foreign stream. */
function changed(at: number, value: number): Uint8Array {
  const stream = registryOf(plain, { a: 1 }).save({ trailer: false });
  stream[at] = value;
  return stream;
}

interface Tree {
  children: Tree[];
}
const tree: Description<Tree> = defineState({
  name: "tree",
  id: 5,
  fields: [
    [
      "children",
      list(
        struct(() => tree),
        { max: 1 },
      ),
    ],
  ],
});

/** A way to each error, as a program might take it. */
const ways: { readonly [Code in ErrorCode]?: () => unknown } = {
  DESCRIPTION_INVALID: () => defineState({ name: "d", id: -5, fields: [] }),
  DESCRIPTION_CONFLICT: () => registryOf(plain, { a: 1 }).register(plainAt(3), { a: 1 }),
  ORDER_CYCLE: () => {
    const one: Description = defineState({ name: "one", id: 1, after: [() => one], fields: [["a", u8]] });
    registryOf(one, { a: 1 });
  },
  VALUE_INVALID: () => streamOf(plain, { a: 256 }),
  LIMIT_EXCEEDED: () =>
    streamOf(defineState({ name: "d", id: 1, fields: [["s", string({ max: 1 })]] }), { s: "ab" }),
  CHANGED_WHILE_SAVED: () => {
    const growing = defineState({ name: "growing", id: 2, fields: [["n", u8]] });
    const elements = [{ n: 1 }];
    elements[0] = Object.defineProperty({ n: 1 }, "n", { get: () => elements.push({ n: 2 }) });
    return streamOf(defineState({ name: "d", id: 1, fields: [["x", list(struct(growing), { max: 9 })]] }), {
      x: elements,
    });
  },
  CHECK_FAILED: () =>
    streamOf(defineState({ name: "d", id: 1, fields: [["a", u8.check((a) => a > 5, "too small")]] }), {
      a: 1,
    }),
  DEPTH_EXCEEDED: () => {
    let deep: Tree = { children: [] };
    for (let i = 0; i < 300; i++) deep = { children: [deep] };
    return streamOf(tree, deep);
  },
  ENTRY_TOO_LARGE: () => {
    class Vast extends ByteWriter {
      override u8(): void {
        this.offset += 2 ** 31;
      }
    }
    const encoder = new Encoder(new Vast(), () => 2);
    encoder.writeSection(plain, 0, { a: 1 }, () => {});
  },
  VERSION_NOT_WRITABLE: () => registryOf(plain, { a: 1 }).save({ versionIds: { plain: 0 } }),
  DESCRIPTION_UNKNOWN: () => registryOf(plain, { a: 1 }).save({ versionIds: { plane: 0 } }),
  KERNEL_CANNOT_READ: () =>
    registryOf(defineState({ name: "d", id: 1, fields: [["s", string({ max: 1 })]] }), { s: "" }).save({
      trailer: false,
    }),
  STREAM_FULL: () => registryOf(plain, { a: 1 }).save({ into: new Uint8Array(10) }),
  REFERENCE_SPLIT: () => {
    const one = defineState({ name: "one", id: 3, fields: [["b", ref(plain)]] });
    const two = defineState({ name: "two", id: 4, fields: [["c", ref(plain)]] });
    const object = { a: 1 };
    return streamOf(defineState({ name: "d", id: 2, fields: [], subsections: [one, two] }), {
      b: object,
      c: object,
    });
  },
  IDENTITY_SPLIT: () => {
    const object = { a: 1 };
    const fields = [
      ["own", struct(plain)],
      ["best", ref(plain)],
    ] as const;
    return streamOf(defineState({ name: "d", id: 2, fields }), { own: object, best: object });
  },
  BLOCKED: () => {
    const registry = registryOf(plain, { a: 1 });
    registry.block("busy");
    registry.save();
  },
  NOT_A_STREAM: () => load(plain, { a: 1 }, Uint8Array.from(Buffer.from("hello, world"))),
  STREAM_TRUNCATED: () => load(plain, { a: 1 }, plainStream().slice(0, -1)),
  STREAM_CORRUPT: () => load(plain, { a: 1 }, changed(4, 7), { foreign: true }),
  CHECKSUM_MISMATCH: () => {
    const stream = plainStream();
    stream[24]! ^= 1;
    load(plain, { a: 1 }, stream);
  },
  TRAILER_MISSING: () => load(plain, { a: 1 }, kernelStream("seed-v1")),
  TRAILER_TOO_NEW: () => {
    const stream = plainStream();
    stream[Buffer.from(stream).lastIndexOf("KSTR") + 4] = 2;
    load(plain, { a: 1 }, stream);
  },
  DATA_CHECKSUM_REQUIRED: () =>
    load(plain, { a: 1 }, registryOf(plain, { a: 1 }).save({ dataChecksum: false }), {
      requireDataChecksum: true,
    }),
  VERSION_TOO_OLD: () => load(plain, { a: 1 }, streamOf(plainAt(0), { a: 1 })),
  VERSION_TOO_NEW: () => load(plain, { a: 1 }, streamOf(plainAt(3), { a: 1 })),
  LAYOUT_MISMATCH: () => load(plain, { a: 1 }, streamOf(plainAt(2, u16), { a: 1 })),
  DESCRIPTION_MISMATCH: () =>
    load(defineState({ name: "renamed", id: 1, versionId: 2, fields: [["a", u8]] }), { a: 1 }, plainStream()),
  EQUAL_MISMATCH: () => {
    const fixed = defineState({ name: "fixed", id: 1, fields: [["size", equal(u8)]] });
    load(fixed, { size: 2 }, streamOf(fixed, { size: 1 }));
  },
  INSTANCE_EXISTS: () => registryOf(plain, { a: 1 }).register(plain, { a: 2 }),
  INSTANCE_INVALID: () => new Registry().register(plain, { a: 1 }, 1.5),
  KEYS_COLLIDE: () => {
    const registry = registryOf(plain, { a: 1 });
    registry.register(plain, { a: 2 }, "plumless");
    registry.register(plain, { a: 3 }, "buckeroo");
    registry.save({ trailer: false });
  },
  NOT_REGISTERED: () => new Registry().unregister(plain),
  INSTANCE_NOT_FOUND: () => new Registry().restore(plain, { a: 1 }, 5, plainStream()),
  INSTANCE_MISSING: () => {
    const registry = registryOf(plain, { a: 1 });
    registry.register(plain, { a: 2 }, 2);
    registry.load(plainStream());
  },
  UNCLAIMED_INSTANCE: () => {
    const registry = registryOf(plain, { a: 1 });
    registry.register(plain, { a: 2 }, 2);
    load(plain, { a: 1 }, registry.save());
  },
  NO_COMMON_VERSION: () =>
    negotiate(registryOf(plain, { a: 1 }).lockRecord(), registryOf(plainAt(0), { a: 1 }).lockRecord()),
  HOOK_FAILED: () => {
    const hooked = defineState({
      name: "hooked",
      id: 1,
      fields: [["a", u8]],
      postLoad: () => {
        throw new Error("boom");
      },
    });
    load(hooked, { a: 1 }, streamOf(hooked, { a: 1 }));
  },
  APPLY_FAILED: () => load(plain, Object.freeze({ a: 2 }), plainStream()),
};

const [parts, live] = [errorTable().filter(isOurs), errorTable().filter((part) => !isOurs(part))];

/** The parts of live update have tests of their own. */
function isOurs({ heading }: { readonly heading: string }): boolean {
  return ["descriptions", "saving", "reading a stream", "registry"].includes(heading);
}

describe("the table of errors", () => {
  test("every code has a doc line, and the page is made from the table", () => {
    for (const { code, doc } of [...parts, ...live].flatMap(({ codes }) => codes)) {
      assert.match(code, /^[A-Z][A-Z_]+$/);
      assert.ok(doc.length > 20, `${code} has no doc line`);
    }
    assert.equal(readFileSync(target, "utf8"), errorsPage(), "run node scripts/errors-doc.mjs");
  });

  test("every code of descriptions, streams and the registry is produced below", () => {
    assert.deepEqual(
      Object.keys(ways).toSorted(),
      parts.flatMap(({ codes }) => codes.map(({ code }) => code)).toSorted(),
    );
  });

  for (const [code, way] of Object.entries(ways)) {
    test(`${code} is thrown for real, and its message says more than its code`, () => {
      assert.throws(way, (error) => {
        assert.ok(isKstateError(error), String(error));
        assert.equal(error.code, code, error.message);
        assert.ok(error instanceof KstateError && error instanceof Error);
        assert.ok(error.message.length > 20 && !error.message.includes("undefined"), error.message);
        assert.equal(typeof error.detail, "object");
        return true;
      });
    });
  }
});

describe("isKstateError", () => {
  test("knows errors of another copy of the package, and their codes", () => {
    const foreign = Object.assign(new Error("x"), {
      code: "NOT_A_STREAM",
      [Symbol.for("kstate.error")]: true,
    });
    assert.ok(isKstateError(foreign));
    assert.ok(isKstateError(foreign, "NOT_A_STREAM"));
    assert.ok(!isKstateError(foreign, "STREAM_CORRUPT"));
  });

  test("knows nothing else", () => {
    for (const other of [new Error("x"), null, undefined, "NOT_A_STREAM", { code: "NOT_A_STREAM" }]) {
      assert.equal(isKstateError(other), false);
    }
  });

  test("narrows the detail", () => {
    const error: unknown = new KstateError("NOT_A_STREAM", "message", { found: "0x0" }, { cause: 1 });
    assert.ok(isKstateError(error, "NOT_A_STREAM"));
    const found: string = error.detail.found;
    assert.deepEqual([found, error.cause, error.name], ["0x0", 1, "KstateError"]);
    // @ts-expect-error another code has no such detail
    void error.detail.versionId;
  });

  test("char is refused as any other value is", () => {
    const description = defineState({ name: "d", id: 1, fields: [["c", char(2)]] });
    assert.throws(() => streamOf(description, { c: "abc" }), /at d\.c: expected a string of at most 2 bytes/);
  });
});
