export {
  appendOwn,
  assertOwnDirectory,
  createOwn,
  makeDirectories,
  makeOwnDirectory,
  openFollowed,
  openOwn,
  readOwn,
  replaceOwn,
  writeSource,
} from "./own-files.ts";
export {
  assertOwnSocket,
  identityOf,
  removeDeadSocket,
  removeSocket,
  type SocketIdentity,
} from "./socket-paths.ts";
export { userId } from "./user.ts";
