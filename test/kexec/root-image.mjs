// The root file system of the guest: busybox, node, this package as it is built, and the kernel that it boots next.
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { run } from "./prepare.mjs";

const project = fileURLToPath(new URL("../..", import.meta.url));
const PACKAGES = ["koffi", "@koromix", "@noble/hashes", "ws"];
const APPLETS = [
  "sh",
  "mount",
  "mkdir",
  "cat",
  "ifconfig",
  "reboot",
  "insmod",
  "modprobe",
  "switch_root",
  "sleep",
  "echo",
  "tail",
];

/** Makes the image; `extra` are further files, by their path in the guest. */
export function makeRootImage(path, extra) {
  const root = mkdtempSync(join(tmpdir(), "kstate-root-"));
  try {
    for (const name of ["bin", "proc", "sys", "dev", "tmp", "pmem", "boot", "app"])
      mkdirSync(join(root, name));
    addBusybox(root);
    addProgram(root, realpathSync(process.execPath), "/bin/node");
    addProgram(root, ["/sbin/mke2fs", "/usr/sbin/mke2fs"].find(existsSync), "/bin/mke2fs");
    for (const name of ["package.json", "dist", "build/examples", "build/test/live/fixtures"])
      cpSync(join(project, name), join(root, "app", name), { recursive: true });
    for (const name of PACKAGES) {
      const from = join(project, "node_modules", name);
      if (existsSync(from))
        cpSync(from, join(root, "app/node_modules", name), { recursive: true, dereference: true });
    }
    for (const file of ["guest.mjs", "guest-service.mjs"])
      cpSync(fileURLToPath(new URL(file, import.meta.url)), join(root, "app", file));
    writeFileSync(join(root, "init"), INIT, { mode: 0o755 });
    for (const [target, source] of Object.entries(extra)) copyFile(source, join(root, target));
    rmSync(path, { force: true });
    run("mke2fs", ["-q", "-t", "ext2", "-d", root, path, "320M"], {
      env: { ...process.env, PATH: `${process.env.PATH}:/sbin:/usr/sbin` },
    });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

const INIT = `#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
ifconfig lo 127.0.0.1 up
cd /app
node guest.mjs
reboot -f
`;

function addBusybox(root) {
  const source = ["/bin/busybox", "/usr/bin/busybox"].find(existsSync);
  copyFile(source, join(root, "bin/busybox"));
  for (const applet of APPLETS) symlinkSync("busybox", join(root, "bin", applet));
}

/** The file that a path leads to, with its mode; what `cpSync` makes of a link depends on the version of Node. */
function copyFile(source, target) {
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(source, target);
}

/** A program with the libraries that it names. */
function addProgram(root, source, target) {
  copyFile(source, join(root, target));
  for (const [, library] of run("ldd", [source]).matchAll(/(?:=> )?(\/\S+) \(0x/g)) {
    copyFile(library, join(root, library));
  }
}

/** The initial file system that a stock kernel needs: it loads modules, then goes on in the root image. */
export function makeInitrd(path, { modules, release }, wanted) {
  const dependencies = modulesOf(modules, release);
  const files = [...new Set(wanted.flatMap((name) => closure(dependencies, name)))];
  const entries = [
    { name: "bin", mode: 0o40755 },
    ...["proc", "dev", "root", "lib"].map((name) => ({ name, mode: 0o40755 })),
    {
      name: "bin/busybox",
      mode: 0o100755,
      data: readFileSync(["/bin/busybox", "/usr/bin/busybox"].find(existsSync)),
    },
    ...["sh", "mount", "insmod", "switch_root", "sleep"].map((name) => ({
      name: `bin/${name}`,
      mode: 0o120777,
      data: Buffer.from("busybox"),
    })),
    ...files.map((file) => ({
      name: `lib/${basename(file)}`,
      mode: 0o100644,
      data: readFileSync(join(modules, file)),
    })),
    { name: "init", mode: 0o100755, data: Buffer.from(initOf(files)) },
  ];
  writeFileSync(
    path,
    gzipSync(Buffer.concat([...entries, { name: "TRAILER!!!", mode: 0 }].map(cpioEntry)), { level: 1 }),
  );
}

const initOf = (files) => `#!/bin/sh
mount -t devtmpfs dev /dev
${files.map((file) => `insmod /lib/${basename(file)}`).join("\n")}
until [ -b /dev/vda ]; do sleep 0.1; done
mount -t ext2 -o ro /dev/vda /root
exec switch_root /root /init
`;

/** Which file each module is in, and which others it needs, from what \`depmod\` says. */
function modulesOf(directory, release) {
  const copy = mkdtempSync(join(tmpdir(), "kstate-modules-"));
  try {
    mkdirSync(join(copy, "lib/modules"), { recursive: true });
    symlinkSync(directory, join(copy, "lib/modules", release));
    const text = run("depmod", ["-n", "-b", copy, release], {
      env: { ...process.env, PATH: `${process.env.PATH}:/sbin:/usr/sbin` },
    });
    const lines = text.split("\n").filter((line) => /^kernel\/\S+:/.test(line));
    return new Map(
      lines.map((line) => {
        const [file, rest] = line.split(":");
        return [
          basename(file)
            .replace(/\.ko.*/, "")
            .replaceAll("-", "_"),
          { file, needs: rest.trim().split(" ").filter(Boolean) },
        ];
      }),
    );
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** A module's file after those that it needs. */
function closure(modules, name) {
  const found = modules.get(name);
  if (found === undefined) return []; // built in
  return [...found.needs.toReversed(), found.file];
}

/** One file of a cpio archive in the kernel's format ("newc"). */
function cpioEntry({ name, mode, data = Buffer.alloc(0) }, index) {
  const fields = [index + 1, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length + 1, 0];
  const head = Buffer.from(
    `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}${name}\0`,
  );
  return Buffer.concat([padded(head), padded(data)]);
}

function padded(bytes) {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}

export const sizeOf = (path) => statSync(path).size;
