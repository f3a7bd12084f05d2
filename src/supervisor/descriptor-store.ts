import { KstateError } from "../error/index.ts";
import {
  AF,
  closeDescriptor,
  connectSocket,
  createSocket,
  sendMessage,
  setCloseOnExec,
  unixAddress,
} from "../memory/index.ts";
import { assertOwnSocket } from "../system/index.ts";

/** The name of the memory in systemd's descriptor store. */
export const MEMORY_NAME = "kstate-memory";
const FIRST_DESCRIPTOR = 3;

/** What systemd says to a service; see `sd_notify(3)`, `sd_pid_notify_with_fds(3)` and `sd_listen_fds(3)`. */
export type ServiceEnvironment = Readonly<
  Partial<Record<"NOTIFY_SOCKET" | "FDSTORE" | "LISTEN_PID" | "LISTEN_FDS" | "LISTEN_FDNAMES", string>>
>;

/** Whether systemd (254 and newer) keeps descriptors of this service: `FileDescriptorStoreMax=` is above 0. */
export function hasDescriptorStore({ NOTIFY_SOCKET, FDSTORE }: ServiceEnvironment): boolean {
  return NOTIFY_SOCKET !== undefined && Number(FDSTORE) > 0;
}

/** Puts a memory's descriptor into the store, in the place of an earlier one: it outlasts this process. */
export function storeMemory({ NOTIFY_SOCKET: path = "" }: ServiceEnvironment, descriptor: number): void {
  assertOwnSocket(path); // it is given all that the service has
  const socket = createSocket(AF.unix, "datagram");
  try {
    connectSocket(socket, unixAddress(path));
    const messages = [
      { text: `FDSTOREREMOVE=1\nFDNAME=${MEMORY_NAME}`, descriptors: [] },
      { text: `FDSTORE=1\nFDNAME=${MEMORY_NAME}`, descriptors: [descriptor] },
    ];
    for (const { text, descriptors } of messages) {
      const result = sendMessage(socket, Buffer.from(text), descriptors);
      if (result === "sent") continue;
      throw new KstateError(
        "SYSTEM_CALL",
        `systemd did not take the memory's descriptor: its socket is ${result}`,
        {
          call: "sendmsg",
          errno: result,
        },
      );
    }
  } finally {
    closeDescriptor(socket);
  }
}

/** The memory's descriptor that systemd has kept for us, close-on-exec; undefined when it has none. */
export function storedMemory({
  LISTEN_PID,
  LISTEN_FDS,
  LISTEN_FDNAMES = "",
}: ServiceEnvironment): number | undefined {
  if (Number(LISTEN_PID) !== process.pid) return undefined;
  const index = LISTEN_FDNAMES.split(":").indexOf(MEMORY_NAME);
  if (index === -1 || index >= Number(LISTEN_FDS)) return undefined;
  setCloseOnExec(FIRST_DESCRIPTOR + index);
  return FIRST_DESCRIPTOR + index;
}
