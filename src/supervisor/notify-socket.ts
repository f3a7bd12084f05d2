import {
  AF,
  closeDescriptor,
  connectSocket,
  createSocket,
  sendMessage,
  unixAddress,
} from "../memory/index.ts";
import { assertOwnSocket } from "../system/index.ts";
import { UndoSteps } from "./undo-steps.ts";

/**
 * Tells systemd what it wants to know (`sd_notify(3)`), over the socket that `NOTIFY_SOCKET` names; `@` begins an
 * abstract name, of which nobody can know whose it is. Undefined where nobody wants to know; `FILE_UNTRUSTED` when that is
 * another user's. Nobody is held up by a service manager that does not listen.
 */
export function notifySocket(address: string | undefined): ((state: string) => void) | undefined {
  if (address === undefined || !/^[@/]/.test(address)) return undefined;
  assertOwnSocket(address);
  return (state) => {
    const opened = new UndoSteps();
    try {
      const descriptor = opened.add(createSocket(AF.unix, "datagram"), closeDescriptor);
      connectSocket(descriptor, unixAddress(address));
      sendMessage(descriptor, Buffer.from(state), []);
    } catch {
      // it has gone, or there is no descriptor left: nobody can be told
    }
    opened.undo();
  };
}
