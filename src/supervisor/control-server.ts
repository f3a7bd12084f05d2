import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { userInfo } from "node:os";
import { openCarrier } from "../carrier/index.ts";
import { KstateError, toSupervisorRecord } from "../error/index.ts";
import { LineSplitter } from "../live/protocol.ts";
import { isUnixBound, peerCredentials } from "../memory/index.ts";
import { removeDeadSocket, userId } from "../system/index.ts";
import {
  type ControlRequest,
  type ControlResponse,
  parseRequest,
  type SuspendRequest,
} from "./control-protocol.ts";
import { type Asker, sendImage } from "./send-image.ts";
import type { Supervisor } from "./supervisor.ts";
import { supervisorSystem } from "./system.ts";
import { assertCanWatch } from "./watched-process.ts";

/**
 * Takes the service's name: its control socket, bound at `path`. `NAME_IN_USE` when it is taken, `SYSTEM_CALL` where
 * services cannot be supervised.
 */
export async function claimName(name: string, path: string): Promise<Server> {
  assertCanWatch();
  if (!(await removeDeadSocket(path, isUnixBound))) {
    throw new KstateError(
      "NAME_IN_USE",
      `a service named ${name} runs already; stop it with "kstate stop --name ${name}" or choose another --name`,
      { name },
    );
  }
  const server = createServer();
  const descriptor = supervisorSystem.bindControl(path);
  const identity = supervisorSystem.identityOf(path);
  const close = server.close.bind(server);
  server.close = (callback) => {
    supervisorSystem.removeSocket(path, identity, descriptor); // Node would remove whatever stands at the path by then
    return close(callback);
  };
  server.listen({ fd: descriptor });
  await once(server, "listening");
  return server;
}

/** Answers the requests of `kstate update` and its sisters. */
export function serveControl(server: Server, supervisor: Supervisor): void {
  server.on("error", () => {}); // no descriptor left for whoever asks: the service goes on
  server.on("connection", (socket: Socket) => {
    socket.on("error", () => {}); // whoever asked has gone; what was asked for goes on
    const peer = peerOf(socket);
    if (peer === null || peer.uid !== userId()) {
      socket.destroy();
      return;
    }
    const { pid, uid } = peer;
    const lines = new LineSplitter();
    let isAsked = false;
    const asker: Asker = { socket, by: { pid, uid, user: userName() }, stored: undefined };
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => {
      try {
        for (const line of lines.push(text)) {
          if (asker.stored !== undefined) asker.stored(line);
          if (isAsked) continue; // one request a connection
          isAsked = true;
          answer(asker, line, supervisor).catch(() => socket.destroy()); // nobody can be told
        }
      } catch {
        socket.destroy(); // a line without end
      }
    });
  });
}

/** Null when it has gone already. */
function peerOf(socket: Socket): ReturnType<typeof peerCredentials> | null {
  try {
    return peerCredentials((socket as unknown as { _handle: { fd: number } })._handle.fd);
  } catch {
    return null;
  }
}

/** In containers a user may have no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.());
  }
}

async function answer(asker: Asker, line: string, supervisor: Supervisor): Promise<void> {
  const { socket } = asker;
  const send = (response: ControlResponse): void => {
    if (socket.writable) socket.write(`${JSON.stringify(response)}\n`);
  };
  try {
    const result = await carryOut(asker, parseRequest(line), supervisor, (text) => {
      if (asker.stored === undefined) send({ type: "progress", text }); // not into the bytes of an image
    });
    send({ type: "done", result });
  } catch (error) {
    send({ type: "error", error: toSupervisorRecord(error) });
  }
  socket.end();
}

async function carryOut(
  asker: Asker,
  request: ControlRequest,
  supervisor: Supervisor,
  progress: (text: string) => void,
): Promise<unknown> {
  const { by } = asker;
  switch (request.type) {
    case "update":
      return supervisor.update(request, request.timeouts, progress, { ...request, by });
    case "rollback":
      return supervisor.rollback(request.timeouts, progress, { ...request, by });
    case "commit":
      return supervisor.commit();
    case "suspend":
      return supervisor.suspend(request, keeper(asker, request), progress);
    case "resume":
      return supervisor.resume(request);
    case "status":
      return supervisor.status();
    case "save":
      await supervisor.save(request.path);
      return {};
    case "lock":
      return supervisor.lock;
    case "stop":
      return supervisor.stop();
  }
}

/** Where a suspended state goes: into a carrier, or to whoever asks. */
function keeper(asker: Asker, { to, partBytes }: SuspendRequest): Parameters<Supervisor["suspend"]>[1] {
  if (to === null) return (...store) => sendImage(asker, ...store);
  const carrier = openCarrier(to, partBytes === null ? {} : { partBytes });
  return (...store) => carrier.store(...store);
}
