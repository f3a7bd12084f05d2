/**
 * The table of error codes: code → what its `detail` holds. The doc line of each member says when it is
 * thrown and what to do; `docs/reference/errors.md` is generated from this file.
 *
 * A code may be added, never renamed or used for something else.
 */

/** Where in the state and in the stream something was found. */
export interface Place {
  /** Path from the section: `room.members[4].hp`. */
  readonly path: string;
  /** The nearest enclosing description and its version: `player@3`. */
  readonly description: string;
  /** Byte offset in the stream; -1 when there is no stream yet (on save). */
  readonly offset: number;
}

export interface ErrorDetails {
  // ---- descriptions ----

  /** A description can never work as it is written. The message names the field and the fix. */
  DESCRIPTION_INVALID: {
    readonly description: string;
    readonly field: string | null;
    readonly problem: string;
  };
  /** Two different descriptions have the same name or the same id. Give one of them another. */
  DESCRIPTION_CONFLICT: { readonly name: string; readonly id: number; readonly other: string };
  /** `after` of several descriptions forms a circle, so that no loading order exists. Remove one of them. */
  ORDER_CYCLE: { readonly cycle: readonly string[] };

  // ---- saving ----

  /** A value does not fit its field: wrong type, out of range, wrong length. Correct the value or the field. */
  VALUE_INVALID: Place & { readonly expected: string; readonly found: string };
  /** A count or length is above the limit of its field. Raise `max`, or keep less. */
  LIMIT_EXCEEDED: Place & { readonly limit: number; readonly found: number };
  /** `check` of a field or a description refused a value, on save or on load. */
  CHECK_FAILED: Place & { readonly why: string };
  /**
   * A list, set, map or array was changed while it was being saved, so that its count in the stream was wrong. A
   * `preSave`, `needed` or `save` hook, a getter or a custom codec did it: let them change only what is not saved, or
   * make the change in `preSave` of the object that holds the collection.
   */
  CHANGED_WHILE_SAVED: Place & { readonly before: number; readonly now: number };
  /** Values are nested deeper than any stream may be. Use `ref`, which has no depth. */
  DEPTH_EXCEEDED: Place & { readonly limit: number };
  /** An entry would be larger than 2^31 - 1 bytes. Such data belongs into folios. */
  ENTRY_TOO_LARGE: Place & { readonly size: number };
  /** `versionIds` asks for a version that the description cannot write. */
  VERSION_NOT_WRITABLE: {
    readonly description: string;
    readonly versionId: number;
    readonly lowest: number;
    readonly highest: number;
    readonly field: string | null;
  };
  /** `versionIds` names a description that is not registered: a slip of the pen. */
  DESCRIPTION_UNKNOWN: { readonly name: string; readonly known: readonly string[] };
  /** The kernel could not read what would be saved. Leave it out, or save with the trailer. */
  KERNEL_CANNOT_READ: {
    readonly description: string;
    readonly field: string | null;
    readonly problem: string;
  };
  /** The buffer given to `save` as `into` is too small. */
  STREAM_FULL: { readonly needed: number; readonly size: number };
  /** An object first met in a subsection is referenced from outside it. Move the field out of the subsection. */
  REFERENCE_SPLIT: Place;
  /**
   * An object that a `ref` points to is also owned by its section (as a struct, a record or a variant), or registered by
   * itself; a load would make two of it. `other` is where it is besides. Describe both places as `ref`; where it is
   * registered, save its id.
   */
  IDENTITY_SPLIT: Place & { readonly other: string };
  /** A `block` hook refuses to be saved for an update now. The reasons are the program's own. */
  BLOCKED: { readonly reasons: readonly { readonly description: string; readonly reason: string }[] };

  // ---- reading a stream ----

  /** The bytes do not begin with the stream's magic number: this is not a stream of ours or of the kernel. */
  NOT_A_STREAM: { readonly found: string };
  /** More bytes are needed than are left: the stream was cut, or a length in it is wrong. */
  STREAM_TRUNCATED: Place & { readonly needed: number; readonly left: number };
  /** The structure of a stream contradicts itself. It was damaged or written by something else. */
  STREAM_CORRUPT: Place & { readonly expected: string; readonly found: string };
  /** A checksum does not fit: bytes were changed after they were written. */
  CHECKSUM_MISMATCH: {
    readonly part: "headers" | "data" | "trailer" | "lock" | "streams";
    readonly expected: string;
    readonly found: string;
  };
  /** The stream has no trailer: a kernel's. Load it with `{ foreign: true }` if that is what you mean. */
  TRAILER_MISSING: { readonly offset: number };
  /** The trailer was written by a newer kstate. Update the package on the reading side. */
  TRAILER_TOO_NEW: { readonly version: number; readonly highest: number };
  /** The stream must carry a data checksum here (files, other hosts) and does not. */
  DATA_CHECKSUM_REQUIRED: Record<never, never>;
  /** A section is older than this program understands (`minVersionId`). Update in smaller steps. */
  VERSION_TOO_OLD: Place & { readonly versionId: number; readonly lowest: number; readonly highest: number };
  /** A section is newer than this program understands (`versionId`). Save with `versionIds`. */
  VERSION_TOO_NEW: Place & { readonly versionId: number; readonly lowest: number; readonly highest: number };
  /** Writer and reader disagree about the fields of one version: somebody forgot to raise `versionId`. */
  LAYOUT_MISMATCH: {
    readonly description: string;
    readonly versionId: number;
    readonly writer: readonly string[];
    readonly reader: readonly string[];
  };
  /** A description's id stands for another description on the other side. Ids are never used again. */
  DESCRIPTION_MISMATCH: { readonly id: number; readonly writer: string; readonly reader: string };
  /** An `equal` field of the stream differs from the value that is present. */
  EQUAL_MISMATCH: Place & { readonly expected: string; readonly found: string };

  // ---- registry ----

  /** The description has such an instance already. Choose another instance id, or unregister first. */
  INSTANCE_EXISTS: { readonly description: string; readonly instanceId: string };
  /** What was registered is no object, or its instance id is neither an int32 nor a string key, or it is no map of such. */
  INSTANCE_INVALID: { readonly description: string; readonly problem: string };
  /**
   * Instances cannot be told apart in a stream without a trailer, where a string key stands as its CRC-32. Give one of them
   * another key, or use the trailer.
   */
  KEYS_COLLIDE: { readonly description: string; readonly instanceIds: readonly string[] };
  /** Nothing is registered under that description and instance id. */
  NOT_REGISTERED: { readonly description: string; readonly instanceId: string };
  /** The stream has no such instance. */
  INSTANCE_NOT_FOUND: { readonly description: string; readonly instanceId: string };
  /** Registered here and known to the writer, but not in the stream. Register with `{ optional: true }` if it may be absent. */
  INSTANCE_MISSING: { readonly instances: readonly string[] };
  /** The stream holds an instance of a known description that nobody registered. Use `registerAll`, or register it. */
  UNCLAIMED_INSTANCE: { readonly instances: readonly string[] };
  /** Two programs have no version in common for some descriptions. */
  NO_COMMON_VERSION: {
    readonly descriptions: readonly {
      readonly name: string;
      readonly writer: readonly [lowest: number, highest: number];
      readonly reader: readonly [lowest: number, highest: number];
    }[];
  };
  /**
   * A hook threw, or returned a promise. On a load all objects are as they were, unless `undo` is false or the message names
   * what could not be put back; the error's `suppressed` has why.
   */
  HOOK_FAILED: { readonly hook: string; readonly description: string; readonly path: string };
  /**
   * A registered object cannot take what was loaded: it is frozen, or a setter threw. All objects are as they were, unless
   * `undo` is false or the message names what could not be put back; the error's `suppressed` has why.
   */
  APPLY_FAILED: { readonly description: string; readonly path: string };

  // ---- checking ----

  /** The descriptions that are to be compared cannot be read: no such file, revision or service, or no lock record in it. */
  RECORD_UNREADABLE: { readonly source: string; readonly problem: string };

  // ---- live update ----

  /** Live update needs Linux on x64 or arm64. Everything else of kstate works here. */
  PLATFORM_UNSUPPORTED: { readonly platform: string; readonly arch: string };
  /**
   * The program did not get what its supervisor hands over (memory, sockets): something that started it in between (npm, npx,
   * the command tsx, nodemon) kept them. Give `kstate run` the program itself: `kstate run -- node app.js`.
   */
  NOT_INHERITED: Record<never, never>;
  /** A call of the operating system failed. */
  SYSTEM_CALL: { readonly call: string; readonly errno: string };
  /**
   * The shared memory is not ours, is damaged, or holds no stream of the generation asked for. When it is a collection in
   * place that is damaged, its name is there, and `kstate run --drop-collection NAME` goes on without it.
   */
  MEMORY_INVALID: { readonly collection?: string };
  /** The program that owns the shared memory changes it faster than it can be read. Try again. */
  MEMORY_BUSY: Record<never, never>;
  /** There is no memory for the stream. Keep less state, or raise the limit that the message names. */
  MEMORY_FULL: { readonly bytes: number; readonly limit: string };
  /** The file is not on DAX (a file system mounted with `dax` on persistent memory). Use one that is, or ask for `relaxed`. */
  DAX_UNSUPPORTED: { readonly path: string };
  /** Nothing waits there to be resumed. Look at the path or the session's name, or start the service afresh. */
  NOTHING_SUSPENDED: { readonly carrier: string };
  /** What was suspended is damaged, was cut, or was never finished: `problem` says how, at `offset`. Take another copy. */
  IMAGE_INVALID: { readonly carrier: string; readonly offset: number; readonly problem: string };
  /**
   * The state was resumed or loaded before, so the service has moved on since. Say that it is wanted all the same:
   * `--stale-ok`, or without a supervisor `KSTATE_AFTER_CRASH` and `afterCrash`.
   */
  STALE: { readonly carrier: string; readonly problem: string };
  /** The state could not be kept there or taken from there: `problem` says why and what to do. A service that was to be suspended goes on. */
  CARRIER_FAILED: { readonly carrier: string; readonly problem: string };
  /** A kexec would fail: every problem is named, with its fix. Nothing was changed. */
  KEXEC_REFUSED: { readonly problems: readonly { readonly problem: string; readonly fix: string }[] };
  /** A folio is used that is not there: freed, restored twice, or viewed beyond its end. */
  FOLIO_INVALID: { readonly address: number };
  /**
   * An in-place collection of that name is of another kind, has other keys, or cannot take the description: `problem`
   * names the field. Use another name, or change the description by `since`, `until` and a higher version.
   */
  COLLECTION_MISMATCH: { readonly collection: string; readonly problem: string };
  /** There is no such row: an index below 0, not whole, or not below the array's length. */
  ROW_INVALID: { readonly collection: string; readonly index: number; readonly length: number };
  /** `joinLiveUpdate` was called twice. A program joins once and hands the result around. */
  ALREADY_JOINED: Record<never, never>;
  /**
   * Something was called too late or too early: `listen`, `webSockets` and `start` come before `ready()`. Or a hook called
   * its own registry back while it saves or loads in a way that could not come to anything; the message says when instead.
   */
  NOT_ALLOWED_NOW: { readonly call: string; readonly phase: string };
  /** The server's connections cannot move to another program: it is not a plain `node:http` server. */
  SERVER_UNSUPPORTED: { readonly reason: string };
  /** The WebSocket server or this version of `ws` does not fit what kstate can move. */
  WEBSOCKETS_UNSUPPORTED: { readonly reason: string };
  /** The address cannot be bound: it is in use, not allowed or not of this machine. */
  LISTEN_FAILED: { readonly key: string; readonly errno: string };
  /** A `start` function, or the stop function it returned, gave back a promise: freezing is synchronous. */
  HOOK_ASYNC: { readonly hook: "start" | "stop" };
  /** Worker threads or child processes would go on while the state is saved. Park, end or allow them. */
  LIVE_RESOURCE: { readonly resources: readonly string[] };
  /** The program uses node:cluster, whose primary accepts connections. Run one service per core instead. */
  CLUSTER_UNSUPPORTED: { readonly reason: string };
  /** A response cannot become a stream of events: its head is sent, or it is compressed, or not of `node:http`. */
  EVENT_STREAM_INVALID: { readonly reason: string };
  /** `detached` was called with something that cannot finish on the old side: pass the response of a request. */
  DETACH_UNSUPPORTED: Record<never, never>;
  /** Requests were still under way when the time to quiesce was over. The old program goes on. */
  REQUESTS_BUSY: { readonly timeoutMs: number; readonly requests: readonly string[] };
  /**
   * The next version's descriptions do not fit, or could not be rolled back from: `findings` are those of `kstate check`.
   * Mend them; `kstate update --force` accepts a rollback that is refused or loses state. Or, by the rule `memory-limit`, a
   * cgroup leaves no room for a second program: raise it, or see `kstate run --update-memory`. The old program goes on.
   */
  UPDATE_REFUSED: {
    readonly verdict: "IN_PLACE" | "LIVE" | "FORWARD_ONLY" | "COLD";
    readonly findings: readonly {
      readonly rule: string;
      readonly message: string;
      readonly description: string;
      readonly field: string | null;
    }[];
  };
  /**
   * The next version may not have as many open files as the old one has connections and listeners, and some to spare. Raise
   * the limit (`ulimit -n`, `LimitNOFILE=`).
   */
  DESCRIPTOR_LIMIT: { readonly limit: number | null; readonly what: string };
  /** The old program has connections that the next version has no server for. */
  CONNECTIONS_UNCLAIMED: { readonly connections: number; readonly claimed: number };
  /**
   * Another program with that name and directory is running: it has the state. End it, or give this one another name
   * or `KSTATE_DIR`.
   */
  STATE_LOCKED: { readonly name: string; readonly directory: string; readonly pid: number | null };
  /**
   * The state of the last run could not be saved at its end. What could be is in `state.partial`; choose with
   * `KSTATE_AFTER_CRASH`.
   */
  STATE_REFUSED: {
    readonly name: string;
    readonly directory: string;
    readonly at: string;
    readonly code: string;
    readonly left: readonly string[] | null;
  };
  /** A file of the saved state could not be read or written. What was saved before is as it was. */
  STATE_FILE_FAILED: { readonly path: string; readonly errno: string };
  /** No supervisor runs under that name. Start one with `kstate run --name NAME -- node app.js`. */
  NO_SUPERVISOR: { readonly name: string };
  /** A supervisor of that name runs already. Stop it, or choose another `--name`. */
  NAME_IN_USE: { readonly name: string };
  /** Nothing is left of a service of that name: no program of it runs. Start it with `kstate run -- COMMAND`. */
  NOTHING_TO_ADOPT: { readonly name: string };
  /** A program of the service runs, and does not let itself be adopted: it hangs, or is of another version. */
  ADOPTION_FAILED: { readonly path: string; readonly problem: string };
  /**
   * A file or a directory is a symbolic link, belongs to another user, or may be written by others, so that what is in it
   * is not this user's word. Nothing of it was read or changed. Own it and close it, or name another.
   */
  FILE_UNTRUSTED: { readonly path: string; readonly problem: string };
  /**
   * Somebody of another user listens on a control socket. Nothing was said to it. Work as the user of the service, or
   * remove the socket.
   */
  PEER_UNTRUSTED: { readonly path: string; readonly pid: number; readonly uid: number };
  /** The name or the runtime directory cannot be used. */
  NAME_INVALID: { readonly name: string; readonly problem: string };
  /** One update at a time: another one is under way. */
  UPDATE_IN_PROGRESS: Record<never, never>;
  /** There is nothing to roll back to: no update has been made yet. */
  NO_PREVIOUS_VERSION: Record<never, never>;
  /** The running program has not called `joinLiveUpdate` and `ready()`, so it cannot hand anything over. */
  NOT_JOINED: { readonly pid: number };
  /** The program ended again and again, and is not started any more. */
  RESTARTS_EXHAUSTED: { readonly name: string; readonly attempts: number; readonly last: string };
  /** The command could not be started. */
  SPAWN_FAILED: { readonly command: string; readonly errno: string };
  /** The program ended although it should not have; its own output says why. */
  PROGRAM_EXITED: { readonly pid: number; readonly exitCode: number | null; readonly signal: string | null };
  /** The successor did not call `ready()` in time. The old program goes on. */
  BOOT_TIMEOUT: { readonly timeoutMs: number; readonly joined: boolean };
  /** A phase of the update took too long and was cancelled. The old program goes on. */
  UPDATE_TIMEOUT: { readonly phase: string; readonly timeoutMs: number };
  /** The program threw something of its own while it booted or took over. The message is what it threw. */
  PROGRAM_THREW: { readonly stack: string | null };
  /** The supervisor could not do what it was asked for, and no program is to blame. The message says what; it goes on. */
  SUPERVISOR_FAILED: { readonly stack: string | null };
  /** The update was cancelled by the other side before it was committed. */
  UPDATE_CANCELLED: { readonly reason: string };
  /** Supervisor and program speak different versions of the protocol. Use the same major version of kstate. */
  PROTOCOL_MISMATCH: { readonly ours: readonly [number, number]; readonly theirs: readonly [number, number] };
  /** A message on a control socket is not one of the protocol. */
  PROTOCOL_ERROR: { readonly problem: string };
  /** No descriptions come from the module that a command was given. It must export them, or register them. */
  ENTRY_INVALID: { readonly entry: string; readonly problem: string };
  /** The command line is wrong. */
  USAGE: { readonly problem: string };
}

export type ErrorCode = keyof ErrorDetails;
