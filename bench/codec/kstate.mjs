// kstate as a program uses it: registry.save into a long-lived buffer, registry.load.
import {
  blob,
  bool,
  defineState,
  f32,
  f64,
  list,
  map,
  optional,
  Registry,
  record,
  ref,
  string,
  struct,
  typedArray,
  u8,
  u16,
  u32,
} from "../../dist/index.js";

const max = 10_000_000;
const text = string({ max: 1000 });

const node = defineState({
  name: "node",
  id: 2,
  fields: [
    ["id", u32],
    ["weight", f64],
    ["next", ref(() => node)],
    [
      "links",
      list(
        ref(() => node),
        { max: 10 },
      ),
    ],
  ],
});

const address = defineState({
  name: "address",
  id: 3,
  fields: [
    ["street", text],
    ["zip", text],
  ],
});

const kinds = {
  records: list(
    record([
      ["id", u32],
      ["x", f64],
      ["y", f64],
      ["vx", f32],
      ["vy", f32],
      ["hp", u16],
      ["team", u8],
    ]),
    { max },
  ),
  users: list(
    record([
      ["id", u32],
      ["name", text],
      ["email", text],
      ["country", text],
      ["age", optional(u8)],
      ["bio", optional(text)],
      ["address", struct(address)],
      ["tags", list(text, { max: 100 })],
      ["scores", list(u16, { max: 100 })],
      ["active", bool],
    ]),
    { max },
  ),
  map: map(text, blob({ max: 1000 }), { max }),
  floats: typedArray(f64, { max: 100_000_000 }),
  graph: list(ref(node), { max }),
  chain: ref(node),
};

/** One data set through a registry. */
export function kstateCodec(
  name,
  { codec = "auto", dataChecksum = false, reuse = true, zeroCopy = false } = {},
) {
  const description = defineState({ name: "bench", id: 1, fields: [["data", kinds[name]]] });
  let into;
  let saver;
  return {
    mode: reuse ? "re-used buffer" : "new buffer",
    save(data, size) {
      if (saver === undefined) {
        saver = new Registry({ codec });
        saver.register(description, { data });
        if (reuse) into = new Uint8Array(size);
      }
      return saver.save(into === undefined ? { dataChecksum } : { dataChecksum, into });
    },
    load(bytes) {
      const registry = new Registry({ codec });
      const state = {};
      registry.register(description, state);
      registry.load(bytes, { undo: false, zeroCopy });
      return state.data;
    },
    loadInto(bytes, data) {
      const registry = new Registry({ codec });
      registry.register(description, { data });
      registry.load(bytes, { undo: false });
      return data;
    },
  };
}
