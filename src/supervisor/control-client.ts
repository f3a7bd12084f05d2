import { connect } from "node:net";
import { fromErrorRecord, KstateError } from "../error/index.ts";
import { LineSplitter } from "../live/protocol.ts";
import type { ControlRequest, ControlResponse } from "./control-protocol.ts";

/**
 * Asks the supervisor behind a control socket, and resolves with its result or rejects with its error.
 * `NO_SUPERVISOR` when nobody is there.
 */
export function requestControl(
  name: string,
  path: string,
  request: ControlRequest,
  progress: (text: string) => void = () => {},
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const lines = new LineSplitter();
    socket.setEncoding("utf8");
    socket.once("error", (error: NodeJS.ErrnoException) => reject(noSupervisor(name, error)));
    socket.once("connect", () => socket.write(`${JSON.stringify(request)}\n`));
    socket.on("data", (text: string) => {
      for (const line of lines.push(text)) {
        const response = JSON.parse(line) as ControlResponse;
        if (response.type === "progress") progress(response.text);
        else if (response.type === "done") resolve(response.result);
        else reject(fromErrorRecord(response.error));
      }
    });
    socket.once("close", () => reject(noSupervisor(name, undefined)));
  });
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
