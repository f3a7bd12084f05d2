import { type ControlRequest, requestControl, runtimeDirectory, socketPath } from "../supervisor/index.ts";

/** Asks the supervisor of a service. */
export function ask(
  name: string,
  request: ControlRequest,
  progress?: (text: string) => void,
  take?: (bytes: Buffer) => Promise<void>,
): Promise<unknown> {
  return requestControl(name, socketPath(runtimeDirectory(process.env), name), request, progress, take);
}
