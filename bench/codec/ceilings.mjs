// What the machine allows: reading every member once and copying as many bytes; making the same objects.

const sizes = { records: 31, floats: 8 };

function touch(name, count) {
  if (sizes[name] === undefined) return undefined;
  const from = new Uint8Array(sizes[name] * count).fill(1);
  const to = new Uint8Array(from.length).fill(1);
  return {
    isCeiling: true,
    mode: "read all members, copy the bytes",
    save(data) {
      globalThis.touched = name === "records" ? sumOf(data) : 0;
      to.set(from);
      return to;
    },
    loadInto(_stream, data) {
      if (name === "records") writeAll(data);
      else new Uint8Array(data.buffer).set(from);
      return data;
    },
  };
}

function sumOf(items) {
  let sum = 0;
  for (let i = 0; i < items.length; i++) {
    const item = items[i];
    sum += item.id + item.x + item.y + item.vx + item.vy + item.hp + item.team;
  }
  return sum;
}

function writeAll(items) {
  for (let i = 0; i < items.length; i++) {
    const item = items[i];
    item.id = i;
    item.x = i + 0.5;
    item.y = i + 0.5;
    item.vx = i + 0.5;
    item.vy = i + 0.5;
    item.hp = i & 0xffff;
    item.team = i & 7;
  }
}

const makers = {
  records: (i) => ({ id: i, x: i + 0.5, y: i + 0.5, vx: i + 0.5, vy: i + 0.5, hp: i & 0xffff, team: i & 7 }),
};

function allocate(name, count) {
  const make = makers[name];
  if (make === undefined) return undefined;
  return {
    isCeiling: true,
    mode: "make the same objects",
    load() {
      const items = new Array(count);
      for (let i = 0; i < count; i++) items[i] = make(i);
      return items;
    },
  };
}

export const ceilings = { "ceiling: touch and memcpy": touch, "ceiling: allocate": allocate };
