/**
 * The C library, and the only place that loads koffi: descriptors, shared mappings, and messages that carry
 * descriptors. Every function fails with `SYSTEM_CALL`, naming the call and errno, unless it says otherwise.
 *
 * Struct layouts are those of 64-bit little-endian Linux (glibc and musl agree on them).
 */
import { createRequire } from "node:module";
import { constants } from "node:os";
import { getSystemErrorMap } from "node:util";
import { KstateError } from "../../error/index.ts";

const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
const F_DUPFD_CLOEXEC = 1030;
const F_ADD_SEALS = 1033;
const FALLOC_FL_KEEP_SIZE = 1;
const FALLOC_FL_PUNCH_HOLE = 2;
const PROT_READ = 1;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MAP_PRIVATE = 2;
const MAP_FIXED = 0x10;
const MAP_ANONYMOUS = 0x20;
/** A private copy of memory that is larger than the machine's is no promise to have that much. */
const MAP_NORESERVE = 0x4000;
const MAP_SHARED_VALIDATE = 3;
const MAP_SYNC = 0x80000;
const MS_SYNC = 4;
const AT_EMPTY_PATH = 0x1000;
const STATX_BYTES = 256;
const STATX_ATTRIBUTES_OFFSET = 8;
const STATX_ATTR_DAX = 0x200000n;
/** Not every C library has statx. */
const SYS_STATX = { x64: 332, arm64: 291 } as const;
const MAP_FAILED = 0xffffffffffffffffn;

/** Seals for {@link addSeals}; the descriptor must be a memfd. */
export const SEAL = { seal: 1, shrink: 2, grow: 4 } as const;

/** Socket numbers used by the calls below. */
export const AF = { unix: 1, inet: 2, inet6: 10 } as const;
export const SOCK = { stream: 1, datagram: 2, seqpacket: 5 } as const;
export const SOL_SOCKET = 1;
export const IPPROTO_IPV6 = 41;
export const SO = { reuseAddress: 2, peerCredentials: 17, v6Only: 26 } as const;
const SOCK_CLOEXEC = 0o2000000;

const prototypes = {
  memfd_create: "int memfd_create(const char *name, unsigned int flags)",
  ftruncate: "int ftruncate(int fd, int64_t length)",
  fallocate: "int fallocate(int fd, int mode, int64_t offset, int64_t length)",
  fcntl: "int fcntl(int fd, int command, int argument)",
  close: "int close(int fd)",
  memchr: "void *memchr(const void *bytes, int value, size_t length)",
  mprotect: "int mprotect(void *address, size_t length, int protection)",
  msync: "int msync(void *address, size_t length, int flags)",
  syscall:
    "int64_t syscall(int64_t number, int64_t fd, const char *path, int64_t flags, int64_t mask, void *buffer)",
  flock: "int flock(int fd, int operation)",
  mmap: "void *mmap(void *address, size_t length, int protection, int flags, int fd, int64_t offset)",
  socketpair: "int socketpair(int domain, int type, int protocol, void *pair)",
  socket: "int socket(int domain, int type, int protocol)",
  bind: "int bind(int fd, const void *address, uint32_t length)",
  listen: "int listen(int fd, int backlog)",
  connect: "int connect(int fd, const void *address, uint32_t length)",
  getsockname: "int getsockname(int fd, void *address, void *length)",
  setsockopt: "int setsockopt(int fd, int level, int name, const void *value, uint32_t length)",
  getsockopt: "int getsockopt(int fd, int level, int name, void *value, void *length)",
  sendmsg: "int64_t sendmsg(int fd, const void *message, int flags)",
  recvmsg: "int64_t recvmsg(int fd, void *message, int flags)",
  ioctl: "int ioctl(int fd, uint64_t request, void *argument)",
  poll: "int poll(void *descriptors, uint64_t count, int timeoutMs)",
  kexec_file_load:
    "int64_t syscall(int64_t number, int64_t kernel, int64_t initrd, int64_t length, const char *commandLine, int64_t flags)",
  reboot: "int reboot(int command)",
  sync: "void sync(void)",
  waitpid: "int waitpid(int pid, void *status, int options)",
  pidfd: "int64_t syscall(int64_t number, int64_t a, int64_t b, int64_t c, int64_t d)",
} as const;

type CallName = keyof typeof prototypes;
type Call = (...args: unknown[]) => number | bigint;

/** Loaded on first use: everything that needs no call works where there is no prebuilt koffi. */
const native = lazy((): typeof import("koffi") => {
  if (process.platform !== "linux" || !["x64", "arm64"].includes(process.arch)) throw unsupported();
  try {
    return createRequire(import.meta.url)("koffi") as typeof import("koffi");
  } catch (cause) {
    throw unsupported(cause);
  }
});

const calls = lazy((): Record<CallName, Call> => {
  const library = native().load(null); // node itself: its C library is already there, whichever it is
  const functions = Object.entries(prototypes).map(([name, prototype]) => [name, library.func(prototype)]);
  return Object.fromEntries(functions) as Record<CallName, Call>;
});

function unsupported(cause?: unknown): KstateError {
  const { platform, arch } = process;
  const why = cause === undefined ? "" : `, and koffi could not be loaded: ${(cause as Error).message}`;
  return new KstateError(
    "PLATFORM_UNSUPPORTED",
    `live update needs Linux on x64 or arm64; this is ${platform} on ${arch}${why}`,
    { platform, arch },
    { cause },
  );
}

/** Calls a function of the C library; a result of -1 throws `SYSTEM_CALL`. */
function call(name: CallName, ...args: unknown[]): number {
  const result = Number(calls()[name](...args));
  if (result === -1) throw systemCallError(name);
  return result;
}

function systemCallError(name: CallName): KstateError {
  const errno = native().errno();
  const [code, text] = getSystemErrorMap().get(-errno) ?? [`errno ${errno}`, "unknown error"];
  return new KstateError("SYSTEM_CALL", `${name} failed: ${text} (${code})`, { call: name, errno: code });
}

/** An anonymous shared memory object of `name`, close-on-exec; its size is 0. */
export function createMemory(name: string): number {
  return call("memfd_create", name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

/** Sets the size of a file, sparse where it grows. */
export function setSize(fd: number, sizeBytes: number): void {
  call("ftruncate", fd, sizeBytes);
}

/** Adds {@link SEAL}s to a memfd. */
export function addSeals(fd: number, seals: number): void {
  call("fcntl", fd, F_ADD_SEALS, seals);
}

/** Gives a range its pages now, so that a later store can not fail. */
export function allocateRange(fd: number, offset: number, lengthBytes: number): void {
  call("fallocate", fd, 0, offset, lengthBytes);
}

/** Gives a range's pages back; it reads as zeros afterwards. */
export function punchHole(fd: number, offset: number, lengthBytes: number): void {
  call("fallocate", fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, lengthBytes);
}

/**
 * How a file is shared: `synchronous` is for files on DAX, where a page of the file is there for good before the first
 * store to it (`EOPNOTSUPP` elsewhere).
 */
export type Sharing = "shared" | "synchronous";
const sharingFlags = { shared: MAP_SHARED, synchronous: MAP_SHARED_VALIDATE | MAP_SYNC } as const;

/** Maps a range of a file, shared, and returns its address. Never unmapped: views of it may outlive anything. */
export function mapFile(
  fd: number,
  offset: number,
  lengthBytes: number,
  writable: boolean,
  sharing: Sharing = "shared",
): bigint {
  return map(null, lengthBytes, writable ? PROT_READ_WRITE : PROT_READ, sharingFlags[sharing], fd, offset);
}

/** The largest buffer that every Node can make: Node 20 aborts above it. */
const MAX_VIEW_BYTES = 2 ** 32;

/** A buffer over mapped memory, of at most 4 GiB, which V8 counts as if the program had allocated it. */
export function viewMemory(address: bigint, lengthBytes: number): ArrayBuffer {
  if (lengthBytes > MAX_VIEW_BYTES) throw new RangeError("Node 20 aborts on a view above 4 GiB");
  return native().view(address, lengthBytes);
}

const WASM_PAGE_BYTES = 65_536;
/** What is used of it; its types are the browser's. */
declare const WebAssembly: {
  readonly Memory: new (size: {
    readonly initial: number;
    readonly maximum: number;
    readonly shared: true;
  }) => { readonly buffer: SharedArrayBuffer };
};

/**
 * A shared buffer of at most 4 GiB, and its address, where nothing has been stored: to be mapped over with
 * {@link remapShared}. V8 doesn't count what is shared, so a large one triggers no garbage collection. It reserves
 * addresses and no memory. Undefined where there is no WebAssembly, or no addresses for it.
 */
export function reserveShared(
  lengthBytes: number,
): { readonly address: bigint; readonly buffer: SharedArrayBuffer } | undefined {
  const pages = Math.ceil(lengthBytes / WASM_PAGE_BYTES);
  try {
    const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    const first = new Uint8Array(buffer, 0, 1).fill(1);
    const address = calls().memchr(first, 1, 1) as bigint; // finds it there, and so says where it is
    return { address, buffer };
  } catch {
    return undefined;
  }
}

/** Whether a file is mapped straight from its medium (`STATX_ATTR_DAX`, Linux 5.8). */
export function isDirectAccess(fd: number): boolean {
  const buffer = new DataView(new ArrayBuffer(STATX_BYTES));
  const number = SYS_STATX[process.arch as keyof typeof SYS_STATX];
  call("syscall", number, fd, "", AT_EMPTY_PATH, 0, new Uint8Array(buffer.buffer));
  return (buffer.getBigUint64(STATX_ATTRIBUTES_OFFSET, true) & STATX_ATTR_DAX) !== 0n;
}

/** Changes whether a mapped range can be written; a store to one that can not ends the program. */
export function protect(address: bigint, lengthBytes: number, writable: boolean): void {
  call("mprotect", address, lengthBytes, writable ? PROT_READ_WRITE : PROT_READ);
}

/** Puts a private copy of the file in the place of a mapped range: stores are seen by nobody else. */
export function remapPrivate(address: bigint, lengthBytes: number, fd: number, offset: number): void {
  map(address, lengthBytes, PROT_READ_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, fd, offset);
}

/** Puts the shared file there, in the place of whatever was: undoes {@link remapPrivate}. */
export function remapShared(
  address: bigint,
  lengthBytes: number,
  fd: number,
  offset: number,
  { sharing = "shared", writable = true }: { readonly sharing?: Sharing; readonly writable?: boolean } = {},
): void {
  const protection = writable ? PROT_READ_WRITE : PROT_READ;
  map(address, lengthBytes, protection, sharingFlags[sharing] | MAP_FIXED, fd, offset);
}

function map(
  at: bigint | null,
  lengthBytes: number,
  protection: number,
  flags: number,
  fd: number,
  offset: number,
): bigint {
  const address = calls().mmap(at, lengthBytes, protection, flags, fd, offset) as bigint;
  if (address === MAP_FAILED) throw systemCallError("mmap");
  return address;
}

/** Returns when what was stored in a part of a mapped file has reached its medium. */
export function syncRange(address: bigint, lengthBytes: number): void {
  call("msync", address, lengthBytes, MS_SYNC);
}

/** Requests of `/dev/liveupdate` (`include/uapi/linux/liveupdate.h` of Linux 6.19). */
export const LUO = {
  createSession: 0xba00,
  retrieveSession: 0xba01,
  preserveFd: 0xba40,
  retrieveFd: 0xba41,
  finish: 0xba42,
} as const;
const LUO_NAME_BYTES = 64;

/** A request with a session's name, to the device; returns the session's descriptor, close-on-exec. */
export function luoRequestName(device: number, request: number, name: string): number {
  const argument = Buffer.alloc(8 + LUO_NAME_BYTES); // u32 size, s32 fd, u8 name[64]
  argument.writeUInt32LE(argument.length, 0);
  argument.write(name, 8, LUO_NAME_BYTES - 1);
  call("ioctl", device, request, argument);
  const session = argument.readInt32LE(4);
  setCloseOnExec(session);
  return session;
}

/** A request to a session: {@link LUO}.preserveFd of `fd`, retrieveFd, which returns a descriptor, or finish. */
export function luoRequest(session: number, request: number, token = 0, fd = 0): number {
  const isFinish = request === LUO.finish; // u32 size, u32 0; otherwise u32 size, s32 fd, u64 token
  const argument = Buffer.alloc(isFinish ? 8 : 16);
  argument.writeUInt32LE(argument.length, 0);
  argument.writeInt32LE(fd, 4);
  if (!isFinish) argument.writeBigUInt64LE(BigInt(token), 8);
  call("ioctl", session, request, argument);
  const found = argument.readInt32LE(4);
  if (request === LUO.retrieveFd) setCloseOnExec(found);
  return found;
}

const LOCK_EXCLUSIVE_NOW = 2 | 4;

/** Locks an open file for this process alone, as long as it lives; false when another one has it. */
export function lockFile(fd: number): boolean {
  if (Number(calls().flock(fd, LOCK_EXCLUSIVE_NOW)) === 0) return true;
  if (native().errno() === constants.errno.EWOULDBLOCK) return false;
  throw systemCallError("flock");
}

const SYS_KEXEC_FILE_LOAD = { x64: 320, arm64: 294 } as const;
const KEXEC_FILE_UNLOAD = 1;
const KEXEC_FILE_NO_INITRAMFS = 4;
const REBOOT_KEXEC = 0x45584543;

/** Loads the kernel that {@link rebootInto} starts, from open files; `initrd` null is none. */
export function loadKernel(kernel: number, initrd: number | null, commandLine: string): void {
  const number = SYS_KEXEC_FILE_LOAD[process.arch as keyof typeof SYS_KEXEC_FILE_LOAD];
  const flags = initrd === null ? KEXEC_FILE_NO_INITRAMFS : 0;
  const length = Buffer.byteLength(commandLine) + 1; // with its NUL
  call("kexec_file_load", number, kernel, initrd ?? -1, length, commandLine, flags);
}

/** Forgets the kernel that was loaded. */
export function unloadKernel(): void {
  const number = SYS_KEXEC_FILE_LOAD[process.arch as keyof typeof SYS_KEXEC_FILE_LOAD];
  call("kexec_file_load", number, -1, -1, 0, null, KEXEC_FILE_UNLOAD);
}

/** Writes what files have to their media, then starts the loaded kernel: nothing is asked, nothing returns. */
export function rebootInto(): void {
  calls().sync();
  call("reboot", REBOOT_KEXEC);
}

/** A duplicate of a descriptor, close-on-exec. */
export function duplicate(fd: number): number {
  return call("fcntl", fd, F_DUPFD_CLOEXEC, 3);
}

/** Keeps a descriptor from being inherited by the programs that this one starts. */
export function setCloseOnExec(fd: number): void {
  call("fcntl", fd, F_SETFD, FD_CLOEXEC);
}

/** Closes a descriptor that no handle of Node owns. */
export function closeDescriptor(fd: number): void {
  call("close", fd);
}

/** Two connected sockets that keep messages whole, close-on-exec. */
export function socketPair(): [number, number] {
  const pair = new Int32Array(2);
  call("socketpair", AF.unix, SOCK.seqpacket | SOCK_CLOEXEC, 0, pair);
  return [pair[0]!, pair[1]!];
}

/** Two connected stream sockets, close-on-exec. */
export function streamPair(): [number, number] {
  const pair = new Int32Array(2);
  call("socketpair", AF.unix, SOCK.stream | SOCK_CLOEXEC, 0, pair);
  return [pair[0]!, pair[1]!];
}

/** A socket of a family of {@link AF}, close-on-exec. */
export function createSocket(family: number, type: "stream" | "datagram" = "stream"): number {
  return call("socket", family, SOCK[type] | SOCK_CLOEXEC, 0);
}

/** Sets an integer socket option. */
export function setSocketOption(fd: number, level: number, name: number, value: number): void {
  call("setsockopt", fd, level, name, Int32Array.of(value), 4);
}

/** Binds a socket to a `sockaddr` in its binary form. */
export function bindSocket(fd: number, address: Uint8Array): void {
  call("bind", fd, address, address.length);
}

/** Makes a bound socket accept connections into its queue. */
export function listenSocket(fd: number, backlog: number): void {
  call("listen", fd, backlog);
}

/** The `sockaddr` that a socket is bound to, in its binary form. */
export function socketAddress(fd: number): Uint8Array {
  const address = new Uint8Array(128);
  const length = Uint32Array.of(address.length);
  call("getsockname", fd, address, length);
  return address.subarray(0, length[0]);
}

/** Connects a socket to a `sockaddr` in its binary form. */
export function connectSocket(fd: number, address: Uint8Array): void {
  call("connect", fd, address, address.length);
}

/** The user id of the process at the other end of a UNIX socket. */
export function peerUserId(fd: number): number {
  return peerCredentials(fd).uid;
}

/** Who was at the other end of a UNIX socket when it was connected. */
export function peerCredentials(fd: number): { readonly pid: number; readonly uid: number } {
  const credentials = new Int32Array(3); // struct ucred: pid, uid, gid
  call("getsockopt", fd, SOL_SOCKET, SO.peerCredentials, credentials, Uint32Array.of(12));
  return { pid: credentials[0]!, uid: credentials[1]! };
}

/** System calls that not every C library wraps; their numbers are the same on every architecture. */
const SYS = { pidfdSendSignal: 424, pidfdOpen: 434 } as const;

/** A descriptor of a process, close-on-exec: it stays that process when the id is given to another one. */
export function openProcess(pid: number): number {
  return call("pidfd", SYS.pidfdOpen, pid, 0, 0, 0);
}

/** Sends a signal to the process of {@link openProcess}; false when it has ended. */
export function signalProcess(fd: number, signal: number): boolean {
  if (Number(calls().pidfd(SYS.pidfdSendSignal, fd, signal, 0, 0)) === 0) return true;
  if (native().errno() === constants.errno.ESRCH) return false;
  throw systemCallError("pidfd");
}

const WNOHANG = 1;

/** Takes the status of a child that has ended, which then is gone; false when it is not our child or still runs. */
export function reapProcess(pid: number): boolean {
  return Number(calls().waitpid(pid, new Int32Array(1), WNOHANG)) === pid;
}

/** Events of {@link poll}. */
export const POLL = { in: 1, out: 4, error: 8, hangUp: 16 } as const;

/**
 * Blocks the thread until one of the descriptors has an event or the time is over: no timer and no I/O of Node
 * runs meanwhile. Returns the events of each descriptor, all 0 at a time-out or when a signal arrived.
 */
export function poll(descriptors: readonly { fd: number; events: number }[], timeoutMs: number): number[] {
  const entries = new DataView(new ArrayBuffer(8 * descriptors.length)); // struct pollfd: i32 fd, i16 events, i16 revents
  for (const [index, { fd, events }] of descriptors.entries()) {
    entries.setInt32(8 * index, fd, true);
    entries.setInt16(8 * index + 4, events, true);
  }
  const count = Number(
    calls().poll(new Uint8Array(entries.buffer), descriptors.length, Math.max(0, Math.ceil(timeoutMs))),
  );
  if (count === -1 && native().errno() !== constants.errno.EINTR) throw systemCallError("poll");
  return descriptors.map((_, index) => (count > 0 ? entries.getInt16(8 * index + 6, true) : 0));
}

/**
 * Most descriptors that are sent in one message. The kernel takes 253 (SCM_MAX_FD), but `sendmsg` of musl copies control
 * data into 1,024 bytes, which is one less: ENOMEM.
 */
export const MAX_DESCRIPTORS = 252;
/** A program with a version before this one sends 253. */
const RECEIVED_DESCRIPTORS = 254;
const ETOOMANYREFS = 109;
/** Most bytes that {@link sendMessage} and {@link receiveMessage} move in one message. */
export const MAX_MESSAGE_BYTES = 64 * 1024;

const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const MSG_TRUNCATED = 0x20;
const MSG_CONTROL_TRUNCATED = 0x08;
const SCM_RIGHTS = 1;
const CONTROL_HEADER = 16; // struct cmsghdr: u64 length, i32 level, i32 type

/** Native memory with known addresses: struct msghdr, then struct iovec, then control data, then the payload. */
const scratch = lazy(() => {
  const iovec = 64;
  const control = 128;
  const payload = 4096;
  const size = payload + MAX_MESSAGE_BYTES;
  const address = map(null, size, PROT_READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const buffer = native().view(address, size);
  const view = new DataView(buffer);
  view.setBigUint64(16, address + BigInt(iovec), true);
  view.setBigUint64(24, 1n, true);
  view.setBigUint64(iovec, address + BigInt(payload), true);
  const header = (payloadBytes: number, controlBytes: number): void => {
    view.setBigUint64(iovec + 8, BigInt(payloadBytes), true);
    view.setBigUint64(32, controlBytes === 0 ? 0n : address + BigInt(control), true);
    view.setBigUint64(40, BigInt(controlBytes), true);
    view.setInt32(48, 0, true);
  };
  return { address, view, header, control, payload: new Uint8Array(buffer, payload) };
});

/**
 * Sends one message with descriptors, without waiting. `full`: the receiver has to read first, or the kernel has no
 * room for it or for more descriptors under way (ENOMEM, ETOOMANYREFS); poll for {@link POLL}.out, and a while. `closed`: nobody is at the other end. The sender keeps its own descriptors.
 */
export function sendMessage(
  fd: number,
  payload: Uint8Array,
  descriptors: readonly number[],
): "sent" | "full" | "closed" {
  if (payload.length > MAX_MESSAGE_BYTES || descriptors.length > MAX_DESCRIPTORS) {
    throw new RangeError(`a message takes ${MAX_MESSAGE_BYTES} bytes and ${MAX_DESCRIPTORS} descriptors`);
  }
  const { address, view, header, control, payload: buffer } = scratch();
  buffer.set(payload);
  const controlBytes = CONTROL_HEADER + 4 * descriptors.length;
  header(payload.length, descriptors.length === 0 ? 0 : (controlBytes + 7) & ~7);
  view.setBigUint64(control, BigInt(controlBytes), true);
  view.setInt32(control + 8, SOL_SOCKET, true);
  view.setInt32(control + 12, SCM_RIGHTS, true);
  for (const [index, descriptor] of descriptors.entries()) {
    view.setInt32(control + CONTROL_HEADER + 4 * index, descriptor, true);
  }
  const outcome = sendScratch(fd, address);
  return typeof outcome === "number" ? "sent" : outcome;
}

/** Sends the first bytes of some over a connected stream socket, without waiting; the outcomes of {@link sendMessage}, or how many. */
export function sendBytes(fd: number, bytes: Uint8Array): number | "full" | "closed" {
  const { address, header, payload } = scratch();
  const first = bytes.subarray(0, MAX_MESSAGE_BYTES);
  payload.set(first);
  header(first.length, 0);
  return sendScratch(fd, address);
}

function sendScratch(fd: number, address: bigint): number | "full" | "closed" {
  const sentBytes = Number(calls().sendmsg(fd, address, MSG_DONTWAIT | MSG_NOSIGNAL));
  if (sentBytes >= 0) return sentBytes;
  const { EAGAIN, ENOBUFS, ENOMEM, EPIPE, ECONNRESET } = constants.errno;
  const errno = native().errno();
  if (errno === EAGAIN || errno === ENOBUFS || errno === ENOMEM || errno === ETOOMANYREFS) return "full";
  if (errno === EPIPE || errno === ECONNRESET) return "closed";
  throw systemCallError("sendmsg");
}

/** A message and the descriptors that came with it, close-on-exec; they are the receiver's to close. */
export interface ReceivedMessage {
  readonly payload: Uint8Array;
  readonly descriptors: number[];
}

/** Receives one message without waiting. A message that did not fit, which ours never are, is `SYSTEM_CALL`. */
export function receiveMessage(fd: number): ReceivedMessage | "empty" | "closed" {
  const { address, view, header, control, payload } = scratch();
  header(MAX_MESSAGE_BYTES, CONTROL_HEADER + 4 * RECEIVED_DESCRIPTORS);
  const received = Number(calls().recvmsg(fd, address, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
  if (received === -1) {
    const errno = native().errno();
    if (errno === constants.errno.EAGAIN || errno === constants.errno.EINTR) return "empty";
    if (errno === constants.errno.ECONNRESET) return "closed";
    throw systemCallError("recvmsg");
  }
  const controlBytes = Number(view.getBigUint64(40, true));
  const descriptors: number[] = [];
  if (controlBytes >= CONTROL_HEADER && view.getInt32(control + 12, true) === SCM_RIGHTS) {
    const end = Number(view.getBigUint64(control, true));
    for (let at = CONTROL_HEADER; at < end; at += 4) descriptors.push(view.getInt32(control + at, true));
  }
  const flags = view.getInt32(48, true);
  if ((flags & (MSG_TRUNCATED | MSG_CONTROL_TRUNCATED)) !== 0) {
    for (const descriptor of descriptors) closeDescriptor(descriptor);
    // All descriptors of a message have room, so those that are missing could not be had.
    const [errno, problem] =
      (flags & MSG_CONTROL_TRUNCATED) === 0
        ? ["EMSGSIZE", "the message was cut"]
        : ["EMFILE", "too many open files for the descriptors of the message"];
    throw new KstateError("SYSTEM_CALL", `recvmsg failed: ${problem} (${errno})`, { call: "recvmsg", errno });
  }
  if (received === 0) return "closed";
  return { payload: payload.slice(0, received), descriptors };
}

/** Makes a value on first use and keeps it: nothing is loaded or mapped by importing this file. */
function lazy<T>(make: () => T): () => T {
  let value: T | undefined;
  return () => {
    value ??= make();
    return value;
  };
}
