/**
 * From a moment of an update on the kernel refuses one kind of system call to a program: the environment's DENY is
 * `ROLE:MOMENT:CALLS`, for the program whose ROLE it is. Only fixtures read it.
 */
import { createRequire } from "node:module";

/** Calls of x64 by number, the error that they fail with, and which of them by their arguments. */
interface Denied {
  readonly calls: readonly number[];
  readonly errno: number;
  /** Only if the argument, masked, is one of the values, or none of them with `not`. */
  readonly only?: {
    readonly argument: number;
    readonly mask: number;
    readonly values: readonly number[];
    readonly not?: true;
  };
}

const EIO = 5;
const ENOMEM = 12;
const EMFILE = 24;
const ENOSPC = 28;

export const DENIED = {
  open: { calls: [2, 257, 437], errno: EMFILE },
  socket: { calls: [41, 53], errno: EMFILE },
  connect: { calls: [42], errno: ENOMEM },
  dup: { calls: [32, 33, 292], errno: EMFILE },
  fcntl: { calls: [72], errno: EMFILE, only: { argument: 1, mask: 0xffffffff, values: [0, 1030] } },
  /** Of files: without memory of its own V8 ends any process. */
  mmap: { calls: [9], errno: ENOMEM, only: { argument: 3, mask: 0x20, values: [0] } },
  sendmsg: { calls: [46, 307], errno: ENOMEM },
  recvmsg: { calls: [47, 299], errno: ENOMEM },
  listen: { calls: [50], errno: ENOMEM },
  accept: { calls: [43, 288], errno: EMFILE },
  allocate: { calls: [77, 285], errno: ENOSPC },
  /** Standard output and error. */
  log: { calls: [1, 20], errno: EIO, only: { argument: 0, mask: 0xffffffff, values: [1, 2] } },
} as const satisfies Record<string, Denied>;
export type DeniedCalls = keyof typeof DENIED;

const [role, moment, calls] = (process.env.DENY ?? "").split(":");

let isWatching = false;

/** The program comes by a moment; `verdict` is the next one after it hands over or loads. */
export function deniedFrom(here: string): void {
  if (process.env.ROLE !== role) return;
  if (here === moment) deny(DENIED[calls as DeniedCalls]);
  if (moment === "verdict" && ["stops", "loads"].includes(here) && !isWatching) watchVerdict();
}

/** As in the memory's header: the generation, and two bits. */
const PENDING = 1;
const COMMITTED = 2;

/** Denies when the program makes the verdict, or learns it. */
function watchVerdict(): void {
  isWatching = true;
  const original = Atomics.compareExchange as (...args: unknown[]) => number;
  Atomics.compareExchange = ((...args: unknown[]) => {
    const [, , expected, wanted] = args as [unknown, unknown, number, number];
    const found = original(...args);
    const isVerdict = wanted >> 2 === expected >> 2 && (expected & 3) === PENDING && (wanted & 3) > PENDING;
    if (!isVerdict || ((found === expected ? wanted : found) & 3) !== COMMITTED) return found;
    Atomics.compareExchange = original as typeof Atomics.compareExchange;
    deny(DENIED[calls as DeniedCalls]);
    return found;
  }) as typeof Atomics.compareExchange;
}

const LOAD = 0x20;
const JUMP_IF_EQUAL = 0x15;
const AND = 0x54;
const RETURN = 0x06;
const ALLOW = 0x7fff0000;
const FAIL = 0x00050000;

/** Puts a filter on all threads of this process, for good. */
export function deny({ calls, errno, only }: Denied): void {
  const koffi = createRequire(import.meta.url)("koffi") as typeof import("koffi");
  const library = koffi.load(null);
  const prctl = library.func("int prctl(int option, uint64_t a, uint64_t b, uint64_t c, uint64_t d)");
  const seccomp = library.func(
    "int64_t syscall(int64_t number, int64_t operation, int64_t flags, void *program)",
  );
  const rest: [number, number, number, number][] = [];
  if (only !== undefined) {
    rest.push([LOAD, 0, 0, 16 + 8 * only.argument], [AND, 0, 0, only.mask]);
    for (const [index, value] of only.values.entries())
      rest.push([JUMP_IF_EQUAL, only.values.length - index, 0, value]);
    rest.push([RETURN, 0, 0, ALLOW]);
  }
  rest.push([RETURN, 0, 0, FAIL | errno]);
  const program: [number, number, number, number][] = [
    [LOAD, 0, 0, 0],
    ...calls.map((call, index): [number, number, number, number] => [
      JUMP_IF_EQUAL,
      calls.length - index,
      0,
      call,
    ]),
    [RETURN, 0, 0, ALLOW],
    ...rest,
  ];
  const filter = koffi.alloc("uint8_t", 8 * program.length) as object;
  const bytes = Buffer.alloc(8 * program.length);
  for (const [index, [code, yes, no, k]] of program.entries()) {
    bytes.writeUInt16LE(code, 8 * index);
    bytes.writeUInt8(yes, 8 * index + 2);
    bytes.writeUInt8(no, 8 * index + 3);
    bytes.writeUInt32LE(k >>> 0, 8 * index + 4);
  }
  koffi.encode(filter, koffi.array("uint8_t", bytes.length), [...bytes]);
  const head = Buffer.alloc(16); // struct sock_fprog: u16 length, pointer
  head.writeUInt16LE(program.length, 0);
  head.writeBigUInt64LE(koffi.address(filter) as bigint, 8);
  if (prctl(38, 1n, 0n, 0n, 0n) !== 0) throw new Error("no_new_privs was refused");
  if (Number(seccomp(317n, 1n, 1n, head)) !== 0) throw new Error("the filter was refused");
}
