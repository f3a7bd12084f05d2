import { once } from "node:events";
import type { Socket } from "node:net";
import type { Image, Stored } from "../carrier/index.ts";
import { KstateError } from "../error/index.ts";
import type { Requester } from "./history.ts";

/** Whoever asks on a control socket. */
export interface Asker {
  readonly socket: Socket;
  readonly by: Requester;
  /** Takes the next line of it, while something is waited for. */
  stored: ((line: string) => void) | undefined;
}

/** Sends an image to whoever asks, and waits until it is where it shall be. The memory stays here all the same. */
export async function sendImage(asker: Asker, image: Image): Promise<Stored> {
  const { socket } = asker;
  const gone = new Promise<never>((_, reject) => {
    socket.once("close", reject);
  });
  const stored = new Promise<void>((resolve) => {
    asker.stored = () => resolve();
  });
  try {
    await Promise.race([gone, send(socket, image)]);
    await Promise.race([gone, stored]);
  } catch (cause) {
    throw interrupted(cause);
  } finally {
    asker.stored = undefined;
    gone.catch(() => {}); // it closes after the answer, too
  }
  return { name: "a byte stream", record: image.record, isHeld: true, discard: () => {} };
}

async function send(socket: Socket, image: Image): Promise<void> {
  socket.write(`${JSON.stringify({ type: "image", sizeBytes: image.record.sizeBytes })}\n`);
  for (const bytes of image.bytes()) {
    if (!socket.write(bytes)) await once(socket, "drain");
  }
}

function interrupted(cause: unknown): KstateError {
  const problem = "the command that received it has ended";
  return new KstateError(
    "CARRIER_FAILED",
    `cannot send the state: ${problem}`,
    { carrier: "-", problem },
    { cause },
  );
}
