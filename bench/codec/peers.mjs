// The peers, each in its best fair mode: what can be prepared is prepared, output buffers are re-used where the peer
// can do that. What a peer has no type for is turned into what it has, inside of the measured time.
import { deserialize, serialize } from "node:v8";

/** A Map as a list of pairs, for those who have no map or only one of string to string. */
const pairsOf = (map) => Array.from(map, ([key, value]) => ({ key, value }));
const mapOf = (pairs) => new Map(pairs.map(({ key, value }) => [key, value]));

async function msgpackr(name) {
  const { Packr } = await import("msgpackr");
  const isGraph = name === "graph" || name === "chain";
  const packr = new Packr({
    useRecords: true,
    copyBuffers: true,
    mapsAsObjects: false,
    structuredClone: isGraph,
    moreTypes: name === "floats" || isGraph,
  });
  return {
    mode: "records, re-used buffer",
    save: (data, _size, into) => packInto(packr, data, into),
    load: (bytes) => packr.unpack(bytes),
  };
}

function packInto(packr, data, into) {
  packr.useBuffer(into);
  return packr.pack(data);
}

async function cborx(name, copyBuffers = false) {
  const { Encoder } = await import("cbor-x");
  const isGraph = name === "graph" || name === "chain";
  const encoder = new Encoder({
    useRecords: true,
    copyBuffers,
    mapsAsObjects: false,
    structuredClone: isGraph,
  });
  return {
    mode: "records, re-used buffer",
    save(data, _size, into) {
      encoder.useBuffer(into);
      return encoder.encode(data);
    },
    load: (bytes) => encoder.decode(bytes),
  };
}

/** Fields as text, never as an object literal: one with the keys of the records would share their hidden class. */
const avroRecord = (name, fields) => ({
  type: "record",
  name,
  fields: fields.split(" ").map((field) => {
    const [key, type] = field.split(":");
    return { name: key, type: avroNamed[type] ?? type };
  }),
});
const avroNamed = {
  int_or_null: ["null", "int"],
  string_or_null: ["null", "string"],
  strings: { type: "array", items: "string" },
  ints: { type: "array", items: "int" },
};
avroNamed.address = avroRecord("Address", "street:string zip:string");
const avroTypes = {
  records: {
    type: "array",
    items: avroRecord("Rec", "id:long x:double y:double vx:float vy:float hp:int team:int"),
  },
  users: {
    type: "array",
    items: avroRecord(
      "User",
      "id:long name:string email:string country:string age:int_or_null bio:string_or_null address:address tags:strings scores:ints active:boolean",
    ),
  },
  map: { type: "array", items: avroRecord("Pair", "key:string value:bytes") },
  floats: "bytes",
};

async function avsc(name) {
  if (avroTypes[name] === undefined) return undefined;
  const { default: avro } = await import("avsc");
  const type = avro.Type.forSchema(avroTypes[name]);
  const [toItems, after] = conversion(name);
  const before =
    name === "map"
      ? (map) => toItems(map).map(({ key, value }) => ({ key, value: bufferOf(value) }))
      : toItems;
  return {
    mode: "re-used buffer",
    save(data, _size, into) {
      const end = type.encode(before(data), into, 0);
      if (end < 0) throw new Error("the buffer is too small");
      return into.subarray(0, end);
    },
    load: (bytes) => after(type.fromBuffer(bytes)),
  };
}

function bufferOf({ buffer, byteOffset, byteLength }) {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** To what a peer without maps and typed arrays has, and back. */
function conversion(name) {
  if (name === "map") return [pairsOf, mapOf];
  if (name === "floats") {
    return [
      (floats) => Buffer.from(floats.buffer, floats.byteOffset, floats.byteLength),
      (bytes) => new Float64Array(bytes.slice().buffer, 0, bytes.length / 8),
    ];
  }
  return [(data) => ({ items: data }).items, (data) => data];
}

const protoFields = {
  records: {
    Item: [
      ["id", "uint32"],
      ["x", "double"],
      ["y", "double"],
      ["vx", "float"],
      ["vy", "float"],
      ["hp", "uint32"],
      ["team", "uint32"],
    ],
  },
  users: {
    Address: [
      ["street", "string"],
      ["zip", "string"],
    ],
    Item: [
      ["id", "uint32"],
      ["name", "string"],
      ["email", "string"],
      ["country", "string"],
      ["age", "uint32", "optional"],
      ["bio", "string", "optional"],
      ["address", "Address"],
      ["tags", "string", "repeated"],
      ["scores", "uint32", "repeated"],
      ["active", "bool"],
    ],
  },
  map: {
    Item: [
      ["key", "string"],
      ["value", "bytes"],
    ],
  },
};

async function protobufjs(name) {
  if (name === "floats") return protobufjsFloats();
  if (protoFields[name] === undefined) return undefined;
  const { default: protobuf } = await import("protobufjs");
  const root = protobuf.Root.fromJSON({ nested: protobufJson(name) });
  const type = root.lookupType("List");
  const [before, after] = conversion(name);
  return {
    mode: "new buffer",
    save: (data) => type.encode({ items: withoutNulls(name, before(data)) }).finish(),
    load: (bytes) => after(withNulls(name, type.decode(bytes).items)),
  };
}

async function protobufjsFloats() {
  const { default: protobuf } = await import("protobufjs");
  const root = protobuf.Root.fromJSON({
    nested: { List: { fields: { items: { id: 1, type: "double", rule: "repeated" } } } },
  });
  const type = root.lookupType("List");
  return {
    mode: "new buffer",
    save: (items) => type.encode({ items }).finish(),
    load: (bytes) => Float64Array.from(type.decode(bytes).items),
  };
}

function protobufJson(name) {
  const messages = { List: { fields: { items: { id: 1, type: "Item", rule: "repeated" } } } };
  for (const [message, fields] of Object.entries(protoFields[name])) {
    const entries = fields.map(([field, type, rule], i) => [
      field,
      {
        id: i + 1,
        type,
        ...(rule === "repeated" ? { rule } : {}),
        ...(rule === "optional" ? { options: { proto3_optional: true } } : {}),
      },
    ]);
    messages[message] = { fields: Object.fromEntries(entries) };
  }
  return messages;
}

/** protobuf has no null: a field that is not there. */
function withoutNulls(name, items) {
  if (name !== "users") return items;
  return items.map((user) => ({ ...user, age: user.age ?? undefined, bio: user.bio ?? undefined }));
}

function withNulls(_name, items) {
  return items;
}

async function bufbuild(name) {
  if (protoFields[name] === undefined) return undefined;
  const { create, createFileRegistry, fromBinary, toBinary } = await import("@bufbuild/protobuf");
  const wkt = await import("@bufbuild/protobuf/wkt");
  const types = { double: 1, float: 2, uint32: 13, bool: 8, string: 9, bytes: 12 };
  const messageOf = (message, fields) => ({
    name: message,
    oneofDecl: fields.filter(([, , rule]) => rule === "optional").map(([field]) => ({ name: `_${field}` })),
    field: fields.map(([field, type, rule], i) => ({
      name: field,
      number: i + 1,
      label: rule === "repeated" ? 3 : 1,
      ...(types[type] === undefined ? { type: 11, typeName: `.${type}` } : { type: types[type] }),
      ...(rule === "optional"
        ? {
            proto3Optional: true,
            oneofIndex: fields.filter(([, , other], j) => other === "optional" && j < i).length,
          }
        : {}),
    })),
  });
  const file = create(wkt.FileDescriptorProtoSchema, {
    name: "bench.proto",
    syntax: "proto3",
    messageType: [
      ...Object.entries(protoFields[name]).map(([message, fields]) => messageOf(message, fields)),
      messageOf("List", [["items", "Item", "repeated"]]),
    ],
  });
  const schema = createFileRegistry(file, () => undefined).getMessage("List");
  const [before, after] = conversion(name);
  return {
    mode: "new buffer",
    save: (data) => toBinary(schema, create(schema, { items: withoutNulls(name, before(data)) })),
    load: (bytes) => after(fromBinary(schema, bytes).items),
  };
}

/** As the code that bebopc generates. */
async function bebop(name, bytesOf = (bytes) => bytes) {
  if (name !== "records" && name !== "users" && name !== "map") return undefined;
  const { BebopView } = await import("bebop");
  const view = BebopView.getInstance();
  const [before, after] = conversion(name);
  const { write, read } = bebopItems[name];
  return {
    mode: "re-used buffer",
    save(data) {
      view.startWriting();
      const items = before(data);
      view.writeUint32(items.length);
      for (let i = 0; i < items.length; i++) write(view, items[i]);
      return view.toArray();
    },
    load(bytes) {
      view.startReading(bytes);
      const count = view.readUint32();
      const items = new Array(count);
      for (let i = 0; i < count; i++) items[i] = read(view, bytesOf);
      return after(items);
    },
  };
}

const bebopItems = {
  records: {
    write(view, item) {
      view.writeUint32(item.id);
      view.writeFloat64(item.x);
      view.writeFloat64(item.y);
      view.writeFloat32(item.vx);
      view.writeFloat32(item.vy);
      view.writeUint16(item.hp);
      view.writeByte(item.team);
    },
    read: (view) => ({
      id: view.readUint32(),
      x: view.readFloat64(),
      y: view.readFloat64(),
      vx: view.readFloat32(),
      vy: view.readFloat32(),
      hp: view.readUint16(),
      team: view.readByte(),
    }),
  },
  users: {
    write(view, item) {
      view.writeUint32(item.id);
      view.writeString(item.name);
      view.writeString(item.email);
      view.writeString(item.country);
      view.writeByte(item.age === null ? 0 : 1);
      if (item.age !== null) view.writeByte(item.age);
      view.writeByte(item.bio === null ? 0 : 1);
      if (item.bio !== null) view.writeString(item.bio);
      view.writeString(item.address.street);
      view.writeString(item.address.zip);
      view.writeUint32(item.tags.length);
      for (const tag of item.tags) view.writeString(tag);
      view.writeUint32(item.scores.length);
      for (const score of item.scores) view.writeUint16(score);
      view.writeByte(Number(item.active));
    },
    read: (view) => ({
      id: view.readUint32(),
      name: view.readString(),
      email: view.readString(),
      country: view.readString(),
      age: view.readByte() === 1 ? view.readByte() : null,
      bio: view.readByte() === 1 ? view.readString() : null,
      address: { street: view.readString(), zip: view.readString() },
      tags: Array.from({ length: view.readUint32() }, () => view.readString()),
      scores: Array.from({ length: view.readUint32() }, () => view.readUint16()),
      active: view.readByte() === 1,
    }),
  },
  map: {
    write(view, item) {
      view.writeString(item.key);
      view.writeBytes(item.value);
    },
    read: (view, bytesOf) => ({ key: view.readString(), value: bytesOf(view.readBytes()) }),
  },
};

/** As the code that flatc generates; records as structs, read with accessors into objects. */
async function flatbuffers(name) {
  if (name !== "records") return undefined;
  const { Builder, ByteBuffer } = await import("flatbuffers");
  const builder = new Builder(1 << 20);
  const size = 40;
  return {
    mode: "re-used buffer",
    save(items) {
      builder.clear();
      builder.startVector(size, items.length, 8);
      for (let i = items.length - 1; i >= 0; i--) {
        const item = items[i];
        builder.prep(8, size);
        builder.pad(5);
        builder.writeInt8(item.team);
        builder.writeInt16(item.hp);
        builder.writeFloat32(item.vy);
        builder.writeFloat32(item.vx);
        builder.writeFloat64(item.y);
        builder.writeFloat64(item.x);
        builder.writeInt32(item.id);
        builder.pad(4);
      }
      builder.finish(builder.endVector());
      return builder.asUint8Array();
    },
    load(bytes) {
      const buffer = new ByteBuffer(bytes);
      const vector = buffer.readInt32(buffer.position()) + buffer.position();
      const count = buffer.readInt32(vector);
      const items = new Array(count);
      for (let i = 0, at = vector + 4; i < count; i++, at += size) {
        items[i] = {
          id: buffer.readUint32(at + 4),
          x: buffer.readFloat64(at + 8),
          y: buffer.readFloat64(at + 16),
          vx: buffer.readFloat32(at + 24),
          vy: buffer.readFloat32(at + 28),
          hp: buffer.readUint16(at + 32),
          team: buffer.readUint8(at + 34),
        };
      }
      return items;
    },
  };
}

async function v8() {
  return { mode: "new buffer", save: (data) => serialize(data), load: (bytes) => deserialize(bytes) };
}

async function json(name) {
  if (name !== "records" && name !== "users") return undefined;
  return {
    mode: "new buffer",
    save: (data) => Buffer.from(JSON.stringify(data)),
    load: (bytes) => JSON.parse(bytes.toString()),
  };
}

/** One step, so it stands under load: a copy of the objects. */
async function clone() {
  return { mode: "both steps in one", load: (_bytes, data) => structuredClone(data) };
}

/** Where a peer gives views of its input, the same with values that outlive it. */
const copying = (name, peer) => (name === "map" ? peer() : undefined);
const copyOf = (bytes) => Uint8Array.prototype.slice.call(bytes);

export const peers = {
  msgpackr,
  avsc,
  protobufjs,
  "@bufbuild/protobuf": bufbuild,
  "cbor-x": cborx,
  bebop,
  flatbuffers,
  v8,
  JSON: json,
  structuredClone: clone,
  "cbor-x, values copied": (name) => copying(name, () => cborx(name, true)),
  "bebop, values copied": (name) => copying(name, () => bebop(name, copyOf)),
};
