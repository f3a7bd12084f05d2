import assert from "node:assert/strict";
import { test } from "node:test";
import { type KexecSystem, kexecProblems, nextKernel } from "#src/carrier/index.js";

const FILES: Readonly<Record<string, string>> = {
  "/proc/self/status": "Name:\tnode\nCapEff:\t000001ffffffffff\n",
  "/proc/cmdline": "BOOT_IMAGE=/boot/vmlinuz-7.3 root=/dev/vda kho=on liveupdate=on memmap=64M!1G\n",
  "/proc/meminfo": "MemTotal: 2000000 kB\nMemAvailable: 1000000 kB\n",
  "/proc/sys/kernel/osrelease": "7.3\n",
  "/proc/sys/kernel/kexec_load_disabled": "0\n",
  "/sys/kernel/kexec_loaded": "0\n",
};

/** A machine on which nothing stops a kexec, but for what is said. */
function machine(
  files: Readonly<Record<string, string | undefined>> = {},
  other: Partial<KexecSystem> = {},
): KexecSystem {
  const all = { ...FILES, ...files };
  return {
    read: (path) => all[path],
    unreadable: () => undefined,
    sessionProblem: () => undefined,
    daxProblem: () => undefined,
    freeBytes: () => 1e9,
    load: () => assert.fail("nothing is loaded by looking"),
    unload: () => assert.fail("nothing is unloaded by looking"),
    reboot: () => assert.fail("nothing is rebooted by looking"),
    ...other,
  };
}

const next = {
  kernel: "/boot/vmlinuz",
  initrd: null,
  commandLine: "root=/dev/vda kho=on liveupdate=on memmap=64M!1G",
};
const found = (to: string, system: KexecSystem, changed: Partial<typeof next> = {}, bytes = 1e6): string[] =>
  kexecProblems(to, { ...next, ...changed }, bytes, system).map(({ problem, fix }) => `${problem} → ${fix}`);

test("nothing stops a kexec where everything is as it should be", () => {
  assert.deepEqual(found("luo:chat", machine()), []);
  assert.deepEqual(found("dax:/pmem/chat", machine()), []);
});

const problems: [
  what: string,
  to: string,
  system: KexecSystem,
  problem: RegExp,
  changed?: Partial<typeof next>,
][] = [
  [
    "no permission",
    "luo:chat",
    machine({ "/proc/self/status": "CapEff:\t0000000000000000\n" }),
    /CAP_SYS_BOOT.*as root/,
  ],
  [
    "no kexec in the kernel",
    "luo:chat",
    machine({ "/sys/kernel/kexec_loaded": undefined }),
    /no kexec.*CONFIG_KEXEC_FILE/,
  ],
  [
    "kexec disabled",
    "luo:chat",
    machine({ "/proc/sys/kernel/kexec_load_disabled": "1\n" }),
    /disabled until the next reboot/,
  ],
  [
    "lockdown",
    "luo:chat",
    machine({ "/sys/kernel/security/lockdown": "none [integrity] confidentiality\n" }),
    /locked down.*signed/,
  ],
  [
    "no such kernel",
    "luo:chat",
    machine({}, { unreadable: (path) => `${path}: ENOENT` }),
    /cannot be read.*--kernel/,
  ],
  [
    "options missing here",
    "luo:chat",
    machine({ "/proc/cmdline": "root=/dev/vda kho=on\n" }),
    /running kernel was started without liveupdate=on/,
  ],
  [
    "options missing there",
    "luo:chat",
    machine(),
    /next kernel would be started without kho=on liveupdate=on.*--append/,
    { commandLine: "root=/dev/vda" },
  ],
  [
    "device busy",
    "luo:chat",
    machine({}, { sessionProblem: () => "open in another process (EBUSY)" }),
    /no session chat can be made: open in another/,
  ],
  [
    "too little memory",
    "luo:chat",
    machine({ "/proc/meminfo": "MemAvailable: 10 kB\n" }),
    /second copy needs more memory than is available \(10240\).*dax:PATH/,
  ],
  [
    "not on DAX",
    "dax:/pmem/chat",
    machine({}, { daxProblem: () => "not mounted with dax" }),
    /cannot be kept: not mounted with dax → mount/,
  ],
  ["medium full", "dax:/pmem/chat", machine({}, { freeBytes: () => 10 }), /has 10 free/],
  [
    "persistent memory given away",
    "dax:/pmem/chat",
    machine(),
    /without memmap=64M!1G, and take the persistent memory for its own/,
    { commandLine: "root=/dev/vda" },
  ],
  ["a file", "file:/tmp/chat", machine(), /ordinary file.*kstate suspend/],
];
for (const [what, to, system, problem, changed] of problems) {
  test(`a kexec is refused beforehand, with the fix: ${what}`, () => {
    const all = found(to, system, changed);
    assert.equal(all.length, 1, all.join("\n"));
    assert.match(all[0]!, problem);
  });
}

test("the next kernel is the running one with its command line, unless others are named", () => {
  const given = { kernel: null, initrd: null, append: null };
  assert.deepEqual(nextKernel(given, machine()), {
    kernel: "/boot/vmlinuz-7.3",
    initrd: null,
    commandLine: "root=/dev/vda kho=on liveupdate=on memmap=64M!1G",
  });
  assert.deepEqual(nextKernel({ kernel: "/k", initrd: "/i", append: "quiet" }, machine()), {
    kernel: "/k",
    initrd: "/i",
    commandLine: "quiet",
  });
});
