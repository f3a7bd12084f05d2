/**
 * permessage-deflate of `ws`. Messages that the next version sends may begin without history, whatever the client
 * remembers. What the client sends may refer to the last 32 KiB of what it has sent before: they are kept, and are the
 * dictionary with which the next version's inflater begins.
 */
import type { CompressionRecord } from "./records.ts";

const NAME = "permessage-deflate";
const WINDOW_BYTES = 32 * 1024;

type Params = Record<string, boolean | number>;

interface PerMessageDeflate {
  params: Params | null;
  decompress(data: Uint8Array, fin: boolean, callback: (error: Error | null, result?: Buffer) => void): void;
}

export interface CompressionOptions {
  readonly maxPayload?: number;
  readonly perMessageDeflate?: unknown;
}

type PerMessageDeflateClass = new (options: object) => PerMessageDeflate;

const classes = new WeakMap<object, PerMessageDeflateClass>();

/**
 * The class that a server's copy of ws compresses with, which that does not export everywhere: the server is asked to
 * agree with a made-up client, and shows one when it comes to answering.
 */
export function compressionClass(server: object): PerMessageDeflateClass | undefined {
  if (classes.has(server)) return classes.get(server);
  const { options } = server as { readonly options: object };
  const asked = Object.create(server, {
    options: { value: { ...options, path: null, verifyClient: null, perMessageDeflate: {} } },
    shouldHandle: { value: () => true },
    completeUpgrade: {
      value: (extensions: Record<string, object>) => {
        const found = extensions[NAME]?.constructor as PerMessageDeflateClass | undefined;
        if (found !== undefined) classes.set(server, found);
      },
    },
  }) as { handleUpgrade(...request: unknown[]): void };
  const headers = {
    upgrade: "websocket",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-version": "13",
    "sec-websocket-extensions": NAME,
  };
  const nowhere = { on: () => {}, removeListener: () => {} };
  asked.handleUpgrade({ method: "GET", url: "/", headers }, nowhere, Buffer.alloc(0), () => {});
  return classes.get(server);
}

/** What clients have sent, inflated, by compression; only where they may refer to it. */
const windows = new WeakMap<PerMessageDeflate, Buffer>();

function compressionIn(extensions: Readonly<Record<string, unknown>>): PerMessageDeflate | undefined {
  return extensions[NAME] as PerMessageDeflate | undefined;
}

/** Keeps what the client sends from now on, as far as it may refer to it. */
export function watchCompression(extensions: Readonly<Record<string, unknown>>): void {
  const compression = compressionIn(extensions);
  if (compression === undefined || compression.params?.client_no_context_takeover) return;
  const { decompress } = compression;
  compression.decompress = (data, fin, callback) => {
    decompress.call(compression, data, fin, (error, result) => {
      if (result !== undefined) remember(compression, result);
      callback(error, result);
    });
  };
}

/** A copy: the message is the program's, which may change it. */
function remember(compression: PerMessageDeflate, bytes: Buffer): void {
  const before = windows.get(compression) ?? Buffer.alloc(0);
  const kept = before.subarray(Math.max(0, before.length + bytes.length - WINDOW_BYTES));
  windows.set(compression, Buffer.concat([kept, bytes.subarray(-WINDOW_BYTES)]));
}

/** What was agreed with the client and what it may refer to; null without compression. */
export function describeCompression(extensions: Readonly<Record<string, unknown>>): CompressionRecord | null {
  const compression = compressionIn(extensions);
  if (compression === undefined) return null;
  const params = compression.params ?? {};
  return {
    serverNoContextTakeover: params.server_no_context_takeover === true,
    clientNoContextTakeover: params.client_no_context_takeover === true,
    serverMaxWindowBits: Number(params.server_max_window_bits ?? 0),
    clientMaxWindowBits: Number(params.client_max_window_bits ?? 0),
    window: windows.get(compression) ?? new Uint8Array(0),
  };
}

/** The extensions of a WebSocket with the compression of a record. */
export function reviveCompression(
  PerMessageDeflate: PerMessageDeflateClass,
  options: CompressionOptions,
  record: CompressionRecord,
): Record<string, unknown> {
  const own = (typeof options.perMessageDeflate === "object" ? options.perMessageDeflate : null) ?? {};
  const { zlibInflateOptions } = own as { readonly zlibInflateOptions?: object };
  const window = Buffer.from(record.window);
  const compression = new PerMessageDeflate({
    ...own,
    ...(window.length > 0 ? { zlibInflateOptions: { ...zlibInflateOptions, dictionary: window } } : {}),
    isServer: true,
    maxPayload: options.maxPayload,
  });
  const params: Params = {};
  if (record.serverNoContextTakeover) params.server_no_context_takeover = true;
  if (record.clientNoContextTakeover) params.client_no_context_takeover = true;
  if (record.serverMaxWindowBits > 0) params.server_max_window_bits = record.serverMaxWindowBits;
  if (record.clientMaxWindowBits > 0) params.client_max_window_bits = record.clientMaxWindowBits;
  compression.params = params;
  if (window.length > 0) windows.set(compression, window);
  return { [NAME]: compression };
}
