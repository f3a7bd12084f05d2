import { constants, openSync } from "node:fs";
import { isKstateError, KstateError } from "../error/index.ts";
import { closeDescriptor, LUO, luoRequest, luoRequestName } from "../memory/index.ts";

/**
 * The calls of `/dev/liveupdate`, so that a test can stand in for a kernel without it. Numbers are descriptors; all
 * fail with an error whose message says what to do.
 */
export interface LuoSystem {
  open(): number;
  createSession(device: number, name: string): number;
  /** Undefined when the kernel before handed no such session over. */
  retrieveSession(device: number, name: string): number | undefined;
  preserve(session: number, memfd: number, token: number): void;
  retrieve(session: number, token: number): number;
  finish(session: number): void;
  close(descriptor: number): void;
}

export const LUO_DEVICE = "/dev/liveupdate";

export const luoSystem: LuoSystem = {
  open: () => {
    try {
      return openSync(LUO_DEVICE, constants.O_RDWR);
    } catch (error) {
      throw explained((error as NodeJS.ErrnoException).code ?? "?", error);
    }
  },
  createSession: (device, name) => asked(() => luoRequestName(device, LUO.createSession, name)),
  retrieveSession: (device, name) => {
    try {
      return luoRequestName(device, LUO.retrieveSession, name);
    } catch (error) {
      if (isKstateError(error, "SYSTEM_CALL") && error.detail.errno === "ENOENT") return undefined;
      throw explainedCall(error);
    }
  },
  preserve: (session, memfd, token) => void asked(() => luoRequest(session, LUO.preserveFd, token, memfd)),
  retrieve: (session, token) => asked(() => luoRequest(session, LUO.retrieveFd, token)),
  finish: (session) => void asked(() => luoRequest(session, LUO.finish)),
  close: (descriptor) => closeDescriptor(descriptor),
};

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: `there is no ${LUO_DEVICE}: it needs Linux 6.19 or newer with CONFIG_LIVEUPDATE, started with "kho=on liveupdate=on"`,
  EACCES: `${LUO_DEVICE} is root's alone: run as root`,
  EPERM: `${LUO_DEVICE} is root's alone: run as root`,
  EBUSY: `${LUO_DEVICE} is open in another process, and it takes one at a time`,
  EEXIST: "a session of that name exists: finish or close it, or choose another name",
  EINVAL: "the session was retrieved by somebody else, or not in this boot",
  ENOMEM: "there is not enough memory that the next kernel could leave alone",
};

function asked<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw explainedCall(error);
  }
}

function explainedCall(error: unknown): unknown {
  return isKstateError(error, "SYSTEM_CALL") ? explained(error.detail.errno, error) : error;
}

function explained(errno: string, cause: unknown): KstateError {
  const message = `${REASONS[errno] ?? (cause as Error).message} (${errno})`;
  return new KstateError("SYSTEM_CALL", message, { call: "liveupdate", errno }, { cause });
}
