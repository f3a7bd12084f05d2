import { once } from "node:events";
import type { Socket } from "node:net";
import {
  Image,
  type ImageFacts,
  inTurns,
  type Stored,
  type StoreOptions,
  type StoreProgress,
} from "../carrier/index.ts";
import { KstateError } from "../error/index.ts";
import type { PhysicalMemory } from "../memory/index.ts";
import type { Requester } from "./history.ts";

/** Whoever asks on a control socket. */
export interface Asker {
  readonly socket: Socket;
  readonly by: Requester;
  /** Takes the next line of it, while something is waited for. */
  stored: ((line: string) => void) | undefined;
}

/** Sends an image to whoever asks, and waits until it is where it shall be. The memory stays here all the same. */
export async function sendImage(
  asker: Asker,
  memory: PhysicalMemory,
  facts: ImageFacts,
  { progress, signal }: StoreOptions = {},
): Promise<Stored> {
  const { socket } = asker;
  const gone = new Promise<never>((_, reject) => {
    socket.once("close", reject);
    signal?.addEventListener("abort", () => reject(signal.reason));
  });
  gone.catch(() => {}); // it closes after the answer, too
  const stored = new Promise<void>((resolve) => {
    asker.stored = () => resolve();
  });
  try {
    const image = await Promise.race([gone, inTurns(Image.take(memory, facts, "sha256"), signal)]);
    await Promise.race([gone, send(socket, image, progress)]);
    await Promise.race([gone, stored]);
    return { name: "a byte stream", record: image.record, isHeld: true, discard: () => {} };
  } catch (cause) {
    throw signal?.aborted ? cause : interrupted(cause);
  } finally {
    asker.stored = undefined;
  }
}

async function send(socket: Socket, image: Image, progress: StoreProgress | undefined): Promise<void> {
  const { sizeBytes } = image.record;
  socket.write(`${JSON.stringify({ type: "image", sizeBytes })}\n`);
  let doneBytes = 0;
  for (const bytes of image.bytes()) {
    if (!socket.write(bytes)) await once(socket, "drain");
    doneBytes += bytes.length;
    progress?.(doneBytes, sizeBytes);
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
