import { crc32 } from "node:zlib";
import {
  blob,
  bool,
  type Description,
  defineState,
  list,
  optional,
  record,
  type StateOf,
  string,
  struct,
  u8,
  u16,
  u32,
} from "../../description/index.ts";

const MAX_CONNECTIONS = 1_000_000;
const MAX_KEY_BYTES = 4096;
const MAX_PENDING_BYTES = 256 * 1024 * 1024;

/** The HTTP connections of all servers, in the order of their descriptors: the key of each one's listener. */
export const httpConnectionsState = defineState({
  name: "kstate.http_connections",
  id: 0x4b530001,
  fields: [["listeners", list(string({ max: MAX_KEY_BYTES }), { max: MAX_CONNECTIONS })]],
});

/**
 * What of some of them travels besides: bytes of a request whose head has not come whole, and of a response that its client
 * has not taken. `index` is that of the connection among all.
 */
export const httpPendingState = defineState({
  name: "kstate.http_pending",
  id: 0x4b530006,
  fields: [
    [
      "pending",
      list(
        record([
          ["index", u32],
          ["head", blob({ max: MAX_PENDING_BYTES })],
          ["unsent", blob({ max: MAX_PENDING_BYTES })],
          ["ending", bool], // the connection ends behind the response
        ]),
        { max: MAX_CONNECTIONS },
      ),
    ],
  ],
});

const compressionFields = record([
  ["serverNoContextTakeover", bool],
  ["clientNoContextTakeover", bool],
  ["serverMaxWindowBits", u8], // 0: not agreed
  ["clientMaxWindowBits", u8],
  ["window", blob({ max: 32 * 1024 })], // the last of what the client has sent, inflated
]);

/** What a WebSocket is besides its descriptor and the program's own state for it. */
export const webSocketState = defineState({
  name: "kstate.web_socket",
  id: 0x4b530002,
  fields: [
    ["listener", string({ max: MAX_KEY_BYTES })],
    ["protocol", string({ max: MAX_KEY_BYTES })],
    ["paused", bool],
    ["closing", u8], // 0 open, 1 our close frame is sent, 2 both are
    ["closeCode", u16],
    ["closeReason", string({ max: 125 })],
    ["compression", optional(compressionFields)],
    ["unread", blob({ max: MAX_PENDING_BYTES })], // received, not yet a whole message
    ["unsent", blob({ max: MAX_PENDING_BYTES })], // written, not yet taken by the kernel
  ],
});
export type WebSocketRecord = StateOf<typeof webSocketState>;
export type CompressionRecord = NonNullable<WebSocketRecord["compression"]>;

/** What a plain connection is besides its descriptor and the program's own state for it. */
export const socketState = defineState({
  name: "kstate.socket",
  id: 0x4b530004,
  fields: [
    ["listener", string({ max: MAX_KEY_BYTES })],
    ["paused", bool],
    ["ending", bool], // the program has ended its side: after what is unsent there is nothing
    ["timeoutMs", u32],
    ["unread", blob({ max: MAX_PENDING_BYTES })],
    ["unsent", blob({ max: MAX_PENDING_BYTES })],
  ],
});
export type SocketRecord = StateOf<typeof socketState>;

/** The connections of one server or one set of event streams, in the order of their descriptors. */
export const socketsState = defineState({
  name: "kstate.sockets",
  id: 0x4b530005,
  fields: [["sockets", list(struct(socketState), { max: MAX_CONNECTIONS })]],
});

/** The WebSockets of one server, in the order of their descriptors; the instance id is the server's number. */
export const webSocketsState = defineState({
  name: "kstate.web_sockets",
  id: 0x4b530003,
  fields: [["sockets", list(struct(webSocketState), { max: MAX_CONNECTIONS })]],
});

const statesDescriptions = new WeakMap<Description, Map<string, Description>>();

/** The list of a state that the program described; one description, however many servers use it. */
export function statesOf<S>(
  kind: "socket" | "web_socket",
  state: Description<S>,
): Description<{ states: S[] }> {
  const known = statesDescriptions.get(state) ?? new Map<string, Description>();
  statesDescriptions.set(state, known);
  const name = `kstate.${kind}_states.${state.name}`;
  if (!known.has(name)) {
    const description = defineState({
      name,
      id: crc32(name) >>> 1, // ids are not negative
      fields: [["states", list(struct(state), { max: MAX_CONNECTIONS })]],
    });
    known.set(name, description);
  }
  return known.get(name) as unknown as Description<{ states: S[] }>;
}
