import { connect, type Socket } from "node:net";
import { dirname } from "node:path";
import { fromErrorRecord, KstateError } from "../error/index.ts";
import { LineSplitter } from "../live/protocol.ts";
import { type ControlRequest, type ControlResponse, parseResponse } from "./control-protocol.ts";
import { assertOwnPeer } from "./peer.ts";
import { assertRuntimeDirectory } from "./runtime-directory.ts";

/**
 * Asks the supervisor behind a control socket, and resolves with its result or rejects with its error. An image that it
 * sends goes to `take`, piece by piece. `NO_SUPERVISOR` when nobody is there; `FILE_UNTRUSTED` and `PEER_UNTRUSTED` when
 * it may be somebody else: nothing has been said then.
 */
export function requestControl(
  name: string,
  path: string,
  request: ControlRequest,
  progress: (text: string) => void = () => {},
  take: (bytes: Buffer) => Promise<void> = () => Promise.reject(new Error("nobody asked for an image")),
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    assertRuntimeDirectory(dirname(path));
    const socket = connect(path);
    const answer = (response: ControlResponse): void => {
      if (response.type === "progress") progress(response.text);
      else if (response.type === "done") resolve(response.result);
      else if (response.type === "error") reject(fromErrorRecord(response.error));
    };
    socket.once("error", (error: NodeJS.ErrnoException) => reject(noSupervisor(name, error)));
    socket.once("connect", () => {
      try {
        assertOwnPeer((socket as unknown as { _handle: { fd: number } })._handle.fd, path);
        socket.write(`${JSON.stringify(request)}\n`);
      } catch (error) {
        reject(error);
        socket.destroy();
      }
    });
    readResponses(socket, answer, take).then(
      () => reject(noSupervisor(name, undefined)),
      (error) => {
        socket.destroy();
        reject(error);
      },
    );
  });
}

/** Reads lines, and after a line `image` so many bytes, one piece after the other. */
async function readResponses(
  socket: Socket,
  answer: (response: ControlResponse) => void,
  take: (bytes: Buffer) => Promise<void>,
): Promise<void> {
  const lines = new LineSplitter();
  let imageBytes = 0;
  for await (const chunk of chunksOf(socket)) {
    for (let rest = chunk; rest.length > 0; ) {
      const end = imageBytes > 0 ? Math.min(imageBytes, rest.length) : rest.indexOf(0x0a) + 1 || rest.length;
      const part = rest.subarray(0, end);
      rest = rest.subarray(end);
      if (imageBytes > 0) {
        await take(part);
        imageBytes -= part.length;
        if (imageBytes === 0) socket.write('{"type":"stored"}\n');
        continue;
      }
      for (const line of lines.push(part.toString("latin1"))) {
        const response = parseResponse(Buffer.from(line, "latin1").toString("utf8"));
        if (response.type === "image") imageBytes = response.sizeBytes;
        else answer(response);
      }
    }
  }
}

/** What comes, until the other side ends; an error has been told already. */
async function* chunksOf(socket: Socket): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of socket) yield chunk as Buffer;
  } catch {
    // said by the socket's own event
  }
}

function noSupervisor(name: string, cause: NodeJS.ErrnoException | undefined): KstateError {
  const what =
    cause === undefined
      ? `the supervisor of ${name} ended before it answered`
      : `no service named ${name} runs here`;
  return new KstateError(
    "NO_SUPERVISOR",
    `${what}; start one with "kstate run --name ${name} -- node app.js"`,
    { name },
    { cause },
  );
}
