// What the reboot tests need from elsewhere: tools, a kernel with LUO (built once), Debian's stock cloud kernel. Downloads
// and builds are cached outside the checkout.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "kstate");
const config = fileURLToPath(new URL("kernel.config", import.meta.url));
const SOURCE = "linux-source-7.3";
const SUITE = "trixie-backports";
const TOOLS = {
  "qemu-system-x86_64": "qemu-system-x86",
  busybox: "busybox-static",
  mke2fs: "e2fsprogs",
  depmod: "kmod",
};
const BUILD_TOOLS = {
  gcc: "gcc",
  make: "make",
  flex: "flex",
  bison: "bison",
  bc: "bc",
  xz: "xz-utils",
  perl: "perl",
  "/usr/include/libelf.h": "libelf-dev",
};

/** Thrown when a test cannot be run here; the message says why. */
export class Skipped extends Error {}

export function run(command, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: "utf8",
    maxBuffer: 2 ** 28,
    ...options,
  });
  if (status === 0) return stdout ?? "";
  const why = error?.message ?? (stderr || stdout || "").trim().split("\n").slice(-3).join(" | ");
  throw new Skipped(`${command} ${args[0] ?? ""} failed: ${why}`);
}

/** A command by its name, or a file by its path. */
const has = (tool) =>
  (tool.startsWith("/") && existsSync(tool)) ||
  spawnSync("sh", ["-c", `PATH=$PATH:/sbin:/usr/sbin command -v ${tool}`]).status === 0;

/** Installs what is missing, when we may. */
export function ensureTools(tools = TOOLS) {
  const missing = Object.keys(tools).filter((tool) => !has(tool));
  if (missing.length === 0) return;
  if (process.getuid() !== 0 || !has("apt-get"))
    throw new Skipped(
      `${missing.join(", ")} missing: apt-get install ${missing.map((tool) => tools[tool]).join(" ")}`,
    );
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  run("apt-get", ["update"], { env });
  run("apt-get", ["install", "-y", "--no-install-recommends", ...missing.map((tool) => tools[tool])], {
    env,
  });
}

/** Debian's stock cloud kernel, unpacked, not installed: where its image and modules are. */
export function stockKernel() {
  const dependencies = run("apt-cache", ["depends", "linux-image-cloud-amd64"]);
  const [, name] = /Depends: (linux-image-\S+)/.exec(dependencies) ?? [];
  if (name === undefined)
    throw new Skipped("apt knows no linux-image-cloud-amd64; apt-get update, on Debian");
  const directory = join(cache, name);
  const release = name.replace("linux-image-", "");
  const found = {
    release,
    kernel: join(directory, "boot", `vmlinuz-${release}`),
    modules: join(directory, "lib/modules", release),
  };
  if (existsSync(found.kernel)) return found;
  const download = join(cache, "download");
  mkdirSync(download, { recursive: true });
  run("apt-get", ["download", name], { cwd: download });
  const [archive] = readdirSync(download).filter((file) => file.startsWith(`${name}_`));
  const unpacked = `${directory}.new`; // what was not unpacked whole is no kernel
  rmSync(unpacked, { recursive: true, force: true });
  run("dpkg", ["-x", join(download, archive), unpacked]);
  rmSync(directory, { recursive: true, force: true });
  renameSync(unpacked, directory);
  rmSync(join(download, archive));
  return found;
}

/** The kernel with LUO: from the cache, or built when `mayBuild`, which takes a quarter of an hour on two cores. */
export function luoKernel(mayBuild) {
  const hash = createHash("sha256").update(readFileSync(config)).digest("hex").slice(0, 16);
  const cached = existsSync(cache)
    ? readdirSync(cache)
        .filter((name) => name.startsWith("kernel-") && name.endsWith(`-${hash}`))
        .map((name) => join(cache, name, "bzImage"))
        .find(existsSync)
    : undefined;
  if (cached !== undefined) return cached;
  if (!mayBuild)
    throw new Skipped(
      `there is no kernel with LUO in ${cache}, and it is not built here; npm run test:kexec builds it`,
    );
  return buildKernel(hash);
}

function buildKernel(hash) {
  ensureTools(BUILD_TOOLS);
  const apt = aptOfSuite();
  const [, version] = /Candidate: (\S+)/.exec(run("apt-cache", [...apt, "policy", SOURCE])) ?? [];
  if (version === undefined || version === "(none)")
    throw new Skipped(`${SUITE} has no ${SOURCE} on this machine's mirror`);
  const work = join(cache, "build");
  const tree = join(work, "tree");
  rmSync(work, { recursive: true, force: true });
  mkdirSync(tree, { recursive: true });
  run("apt-get", [...apt, "download", `${SOURCE}=${version}`], { cwd: work });
  const [archive] = readdirSync(work).filter((file) => file.endsWith(".deb"));
  run("dpkg", ["-x", archive, "source"], { cwd: work });
  run("tar", ["-xJf", join(work, "source/usr/src", `${SOURCE}.tar.xz`), "-C", tree, "--strip-components=1"]);
  console.log(`building ${SOURCE} ${version}: about a quarter of an hour on two cores`);
  copyFileSync(config, join(tree, "kstate.config"));
  const nice = (...args) => run("nice", args, { cwd: tree });
  nice("make", "tinyconfig");
  nice("scripts/kconfig/merge_config.sh", "-m", ".config", "kstate.config");
  nice("make", "olddefconfig");
  nice("make", `-j${Math.max(2, Number(run("nproc", [])))}`, "bzImage");
  const target = join(cache, `kernel-${version}-${hash}`);
  mkdirSync(target, { recursive: true });
  copyFileSync(join(tree, "arch/x86/boot/bzImage"), join(target, "bzImage.new"));
  renameSync(join(target, "bzImage.new"), join(target, "bzImage"));
  rmSync(work, { recursive: true, force: true });
  return join(target, "bzImage");
}

/** Options that make apt read the suite with the kernel's source from the machine's own mirror, and change nothing. */
function aptOfSuite() {
  if (!has("apt-get")) throw new Skipped("there is no apt-get, so no Debian kernel source");
  const targets = run("apt-get", ["indextargets", "--format", "$(REPO_URI) $(ORIGIN)"]);
  const [, mirror] = /^(\S+) Debian$/m.exec(targets.replaceAll(/\S*debian-security\S* Debian/g, "")) ?? [];
  if (mirror === undefined) throw new Skipped("apt has no Debian mirror");
  const directory = join(cache, "apt");
  for (const part of ["lists/partial", "archives/partial"])
    mkdirSync(join(directory, part), { recursive: true });
  const sources = join(directory, "sources.list");
  const signed = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]";
  writeFileSync(sources, `deb ${signed} ${mirror} ${SUITE} main\ndeb ${signed} ${mirror} trixie main\n`);
  const options = {
    "Dir::Etc::sourcelist": sources,
    "Dir::Etc::sourceparts": "-",
    "Dir::State::lists": join(directory, "lists"),
    "Dir::Cache": directory,
    "Dir::Cache::archives": join(directory, "archives"),
    "Dir::State::status": "/dev/null",
  };
  const flags = Object.entries(options).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
  run("apt-get", [...flags, "update"]);
  return flags;
}
