import { KstateError } from "../error/index.ts";
import { peerCredentials } from "../memory/index.ts";
import { userId } from "../system/index.ts";

/**
 * Refuses with `PEER_UNTRUSTED` whoever listens at the other end of a connection, unless it is this user. Called before
 * anything is written: what is said there are commands and environments, and the answer is believed.
 */
export function assertOwnPeer(descriptor: number, path: string): void {
  const { pid, uid } = peerCredentials(descriptor);
  if (uid === userId()) return;
  throw new KstateError(
    "PEER_UNTRUSTED",
    `will not talk to ${path}: process ${pid} of user ${uid} listens there, and this is user ${userId()}; nothing was ` +
      `said to it. Work as the user of the service (sudo -u '#${uid}'), or set KSTATE_RUNTIME_DIR to a directory of this user`,
    { path, pid, uid },
  );
}
