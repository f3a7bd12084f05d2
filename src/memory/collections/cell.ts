import { expectation, fits, type Kind, picture } from "../../description/index.ts";
import { KstateError } from "../../error/index.ts";

/** How a value of a fixed size stands in memory: packed, little endian, as in a stream. */
export interface Cell {
  readonly kind: Kind;
  readonly size: number;
  read(view: DataView, at: number): unknown;
  /** Throws `VALUE_INVALID`, with the path, for what does not fit. */
  write(view: DataView, at: number, value: unknown, path: string): void;
}

type NumberName = keyof typeof sizes;
const sizes = {
  u8: 1,
  i8: 1,
  bool: 1,
  u16: 2,
  i16: 2,
  u32: 4,
  i32: 4,
  f32: 4,
  f64: 8,
  u64: 8,
  i64: 8,
} as const;
const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** The cell of a kind; undefined when the kind has no fixed size. */
export function cellOf(kind: Kind): Cell | undefined {
  switch (kind.kind) {
    case "u64.safe":
    case "i64.safe":
      return safeCell(kind, kind.kind === "u64.safe" ? "u64" : "i64");
    case "char":
      return charCell(kind, kind.size);
    case "bytes":
      return bytesCell(kind, kind.size);
    case "array":
      return arrayCell(kind, kind.element, kind.count);
    case "record":
      return recordCell(kind);
    default:
      return kind.kind in sizes ? numberCell(kind, kind.kind as NumberName) : undefined;
  }
}

function refuse(kind: Kind, value: unknown, path: string): never {
  const expected = expectation(kind);
  const found = picture(value);
  throw new KstateError("VALUE_INVALID", `cannot store ${path}: expected ${expected}, got ${found}`, {
    path,
    description: "",
    offset: -1,
    expected,
    found,
  });
}

/** Whether a value is text that is the same when it is read back from so many bytes. */
function isText(value: unknown, size: number): boolean {
  if (typeof value !== "string" || value.length > size) return false;
  return Buffer.byteLength(value) <= size && !value.includes("\0") && !/\p{Surrogate}/u.test(value);
}

const readers: { readonly [Name in NumberName]: (view: DataView, at: number) => unknown } = {
  u8: (view, at) => view.getUint8(at),
  i8: (view, at) => view.getInt8(at),
  bool: (view, at) => view.getUint8(at) === 1,
  u16: (view, at) => view.getUint16(at, true),
  i16: (view, at) => view.getInt16(at, true),
  u32: (view, at) => view.getUint32(at, true),
  i32: (view, at) => view.getInt32(at, true),
  f32: (view, at) => view.getFloat32(at, true),
  f64: (view, at) => view.getFloat64(at, true),
  u64: (view, at) => view.getBigUint64(at, true),
  i64: (view, at) => view.getBigInt64(at, true),
};

const writers: { readonly [Name in NumberName]: (view: DataView, at: number, value: never) => void } = {
  u8: (view, at, value) => view.setUint8(at, value),
  i8: (view, at, value) => view.setInt8(at, value),
  bool: (view, at, value) => view.setUint8(at, value ? 1 : 0),
  u16: (view, at, value) => view.setUint16(at, value, true),
  i16: (view, at, value) => view.setInt16(at, value, true),
  u32: (view, at, value) => view.setUint32(at, value, true),
  i32: (view, at, value) => view.setInt32(at, value, true),
  f32: (view, at, value) => view.setFloat32(at, value, true),
  f64: (view, at, value) => view.setFloat64(at, value, true),
  u64: (view, at, value) => view.setBigUint64(at, value, true),
  i64: (view, at, value) => view.setBigInt64(at, value, true),
};

function numberCell(kind: Kind, name: NumberName): Cell {
  const set = writers[name];
  return {
    kind,
    size: sizes[name],
    read: readers[name],
    write: (view, at, value, path) => {
      if (!fits(kind, value)) refuse(kind, value, path);
      set(view, at, value as never);
    },
  };
}

function safeCell(kind: Kind, name: "u64" | "i64"): Cell {
  const { size, read, write } = numberCell({ kind: name }, name);
  return {
    kind,
    size,
    read: (view, at) => Number(read(view, at)),
    write: (view, at, value, path) => {
      if (!fits(kind, value)) refuse(kind, value, path);
      write(view, at, BigInt(value as number), path);
    },
  };
}

function charCell(kind: Kind, size: number): Cell {
  return {
    kind,
    size,
    read: (view, at) => {
      const bytes = new Uint8Array(view.buffer, view.byteOffset + at, size);
      const end = bytes.indexOf(0);
      return decoder.decode(bytes.subarray(0, end === -1 ? size : end));
    },
    write: (view, at, value, path) => {
      if (!isText(value, size)) refuse(kind, value, path);
      const bytes = new Uint8Array(view.buffer, view.byteOffset + at, size);
      bytes.fill(0, encoder.encodeInto(value as string, bytes).written);
    },
  };
}

function bytesCell(kind: Kind, size: number): Cell {
  return {
    kind,
    size,
    read: (view, at) => new Uint8Array(view.buffer, view.byteOffset + at, size).slice(),
    write: (view, at, value, path) => {
      if (!(value instanceof Uint8Array) || value.length !== size) return refuse(kind, value, path);
      new Uint8Array(view.buffer, view.byteOffset + at, size).set(value);
    },
  };
}

const typedArrays: { readonly [name: string]: { from(values: ArrayLike<never>): unknown } } = {
  u8: Uint8Array,
  i8: Int8Array,
  u16: Uint16Array,
  i16: Int16Array,
  u32: Uint32Array,
  i32: Int32Array,
  f32: Float32Array,
  f64: Float64Array,
  u64: BigUint64Array,
  i64: BigInt64Array,
};

function arrayCell(kind: Kind, element: Kind, count: number): Cell | undefined {
  const cell = cellOf(element);
  if (cell === undefined) return undefined;
  const typed = typedArrays[element.kind];
  return {
    kind,
    size: count * cell.size,
    read: (view, at) => {
      const values = Array.from({ length: count }, (_, i) => cell.read(view, at + i * cell.size));
      return typed === undefined ? values : typed.from(values as never[]);
    },
    write: (view, at, value, path) => {
      const isList = Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
      const values = value as ArrayLike<unknown>;
      if (!isList || values.length !== count) refuse(kind, value, path);
      for (let i = 0; i < count; i += 1) cell.write(view, at + i * cell.size, values[i], `${path}[${i}]`);
    },
  };
}

function recordCell(kind: Kind & { readonly kind: "record" }): Cell | undefined {
  const fields: { readonly name: string; readonly cell: Cell; readonly offset: number }[] = [];
  let size = 0;
  for (const { name, kind: inner } of kind.fields) {
    const cell = cellOf(inner);
    if (cell === undefined) return undefined;
    fields.push({ name, cell, offset: size });
    size += cell.size;
  }
  return {
    kind,
    size,
    read: (view, at) =>
      Object.fromEntries(fields.map(({ name, cell, offset }) => [name, cell.read(view, at + offset)])),
    write: (view, at, value, path) => {
      if (typeof value !== "object" || value === null) refuse(kind, value, path);
      for (const { name, cell, offset } of fields) {
        cell.write(view, at + offset, (value as Record<string, unknown>)[name], `${path}.${name}`);
      }
    },
  };
}
