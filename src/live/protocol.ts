/**
 * CONTRACT: what a supervisor and its programs say to each other, protocol version 2.
 *
 * ```
 * supervisor ── control socket (UNIX stream, one JSON object a line) ── program
 * supervisor ── channel (SEQPACKET pair, one message a descriptor) ──── program
 * old program ─ pair (SEQPACKET pair, descriptors and the end of it) ── successor
 * ```
 *
 * The program owns its control socket: it is inherited already listening, and the supervisor dials it, so that
 * another supervisor can dial it later. A descriptor is always sent on channel or pair *before* the line that
 * announces it, and fetched without waiting after that line: no event loop ever reads a socket that carries
 * descriptors (libuv drops them).
 *
 * A program that is about to end by an exception, or whose state could not be kept at its end, puts `failed` on the
 * channel, which needs no turn of its loop; the supervisor looks there when the program has ended.
 *
 * A program's life, S is the supervisor, O the old program, N its successor:
 *
 * ```
 * start     S spawns with KSTATE_LIVE in the environment     P → S hello     P → S listen* ← S listening*
 *           P → S ready      S → first program: boot         (a successor waits)
 * look      S → P save       P saves its state into a new file, P → S saved       (while it serves)
 * update 1  S → O prepare    O compares N's descriptions and collections         O → S prepared
 *       1a  if it was asked for:  S → O rehearse    O saves a trial stream into the memory, and serves on
 *           O → S rehearsed   S → N verify      N reads and checks it, changes nothing    N → S verified
 *        2  S opens the verdict word, S → N receive    N warms up with the sample     N → S receiving; N blocks on the pair
 *        3  S → O freeze    O quiesces, says `freezing` on the pair, freezes, saves into the memory, sends descriptors
 *           and `frozen`, blocks on the pair
 *        4  N loads, then decides COMMITTED in the verdict word, serves         N → S serving
 *        5  O finds COMMITTED, closes its copies, and exits when N closes the pair; with detached responses it says
 *           `left` and exits when they have finished, whatever happens to the service meanwhile
 * ```
 * Unhappy, before step 4's decision, all end with O serving and N gone:
 * ```
 *  a  N ends, throws or stays silent before `ready`          S ends N
 *  b  O cannot write what N reads                            O → S refused; S ends N
 * b1  N cannot load the trial stream                         N → S refused; S ends N, S → O cancel
 * b2  N ends or stays silent before `receiving`              S ends N, S → O cancel
 *  c  O stays busy, or freezing fails                        O undoes it, O → S refused; S decides CANCELLED, ends N
 *  d  N cannot load                                          N decides CANCELLED, tells O on the pair, N → S refused
 *  e  N ends or stays silent while O is frozen               O decides CANCELLED, O → S thawed; S ends N
 *  f  S loses patience                                       S decides CANCELLED, ends N; O finds it
 *  g  S ends                                                 see adoption
 * ```
 * Suspend, C is a carrier (`carrier/carrier.ts`):
 * ```
 * suspend 1  S opens the verdict word, S → O suspend
 *         2  O quiesces, freezes, saves into the memory: CLEAN, O → S suspended, and blocks on the channel
 *         3  S lets C keep the memory, decides COMMITTED, says `decided` on the channel
 *         4  O finds COMMITTED, ends its connections: WebSockets with 1012, detached responses when they have finished
 *            or their time is over, meanwhile O → S left; and exits
 * resume     a first program finds the memory CLEAN: at `boot` it loads, owns the memory, serves
 *                                                           P → S serving, S lets C finish
 * ```
 * Unhappy: O refuses as in b and c. When C cannot keep it, or S ends or loses patience, CANCELLED is decided and O serves
 * on: O → S thawed. When O ends meanwhile, the memory is CLEAN all the same. A program that cannot load says `refused`;
 * memory and carrier are as they were, for another one.
 *
 * Pre-copy, between O's comparison and `prepared`, if both have tracked maps (`live/tracked/pre-copy.ts`): O puts
 * slices into the memory and `slice` on the pair, N answers `taken`, and O `sliced` when it has sent enough; N looks at
 * the pair until then, and not again before `receive`. What O puts there next is `sample`: a small stream of its state,
 * to warm up with; O may leave it out, and N need not look at it. O tells S of every round (`progress`), which gives it more time.
 *
 * A decision that comes second loses and follows the first: after COMMITTED, O leaves and N serves, whatever
 * else happens. Time-outs end at the commit.
 *
 * Adoption. A program whose supervisor has ended serves on; another supervisor S' dials its control socket:
 * ```
 * adoption 1 S' → P adopt     P → S' adopted, and with it the end of a new channel, the memory, the listeners
 *          2                  P → S' all that a supervisor has to know again: listen* if unanswered, ready, serving
 * ```
 * `adopted` and its descriptors are one message on the control socket, which S' reads itself until that line has
 * come; more than 252 descriptors begin in messages before it, whose payload is a space. An end of a control
 * socket that has been left is given up for the next one that dials.
 *
 * S may have ended in the middle of an update. Before it started N it had written down where both programs are
 * (`supervisor/service-record.ts`). A successor that is left in `ready()`, and was not told to receive, ends; one
 * that was told, and O, go on to their verdict without S. S' dials both, which answer when they are through, and
 * then tries CANCELLED itself: on COMMITTED N is the program, otherwise O is, is sent `cancel`, and N is ended.
 *
 * A program that crashed is started again as a first program, in the memory as the crash left it: a stream `handover`
 * becomes the checkpoint if the superblock says PENDING and the verdict word COMMITTED, because a successor crashed before
 * it could say so, and is dropped otherwise. The program loads the stream `checkpoint` if there is one, and serves.
 *
 * `hello` and `adopted` carry the range of protocol versions that the program speaks; without a common one the
 * supervisor ends it. A new message, or a new required member of one, makes a new protocol version. A member that
 * whoever reads does not know is ignored.
 *
 * | version | what is new |
 * | --- | --- |
 * | 1 | |
 * | 2 | everything that a program says of an update carries its `generation`, and so does the word `decided`; `receiving`, for which a successor of version 1 is not waited |
 *
 * What a program says of an update that has ended, because it was stopped or slow, is ignored by its generation; only
 * a program of version 1, which does not give one, is taken to mean the update under way.
 */
import { type ErrorRecord, KstateError } from "../error/index.ts";
import { type Members, messageChecks, messageProblem } from "./message-checks.ts";

export { LineSplitter, MAX_LINE } from "./line-splitter.ts";
export { asText, isLockShown, isTimeMs, MAX_TIME_MS } from "./message-checks.ts";

/** The protocol versions that this package speaks. */
export const PROTOCOL: readonly [lowest: number, highest: number] = [1, 2];

/** The reason of `UPDATE_CANCELLED` when a program finds that its successor has let go of the pair. */
export const SUCCESSOR_ENDED = "the successor ended";

/** The environment variable that tells a program that it is supervised; its value is a {@link LiveEnvironment}. */
export const ENVIRONMENT_VARIABLE = "KSTATE_LIVE";

/** The name of a service that was given none. */
export const UNNAMED_SERVICE = "default";

/** What a program inherits; numbers are descriptors. */
export interface LiveEnvironment {
  readonly protocol: readonly [lowest: number, highest: number];
  readonly name: string;
  readonly role: "first" | "successor";
  readonly control: number;
  readonly memory: number;
  readonly channel: number;
  /** Only a successor has one. */
  readonly pair: number | null;
  readonly listeners: readonly { readonly key: string; readonly descriptor: number }[];
  /** Tells the processes of this program from all others; an older supervisor gives none. */
  readonly controlPath?: string;
}

/** Versions by name of description. */
export type VersionIds = Readonly<Record<string, number>>;

/** Where a server listens. */
export type ListenAddress =
  | { readonly kind: "tcp"; readonly host: string | null; readonly port: number }
  | { readonly kind: "udp"; readonly family: 4 | 6; readonly host: string | null; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

export type ToProgram =
  | { readonly type: "listening"; readonly key: string; readonly error: ErrorRecord | null }
  | { readonly type: "boot" }
  | {
      readonly type: "prepare";
      readonly generation: number;
      readonly lock: unknown;
      /** Whether a rollback may be impossible or lose state afterwards. False unless given. */
      readonly force?: boolean;
    }
  | {
      readonly type: "receive";
      readonly generation: number;
      readonly timeoutMs: number;
      readonly versionIds: VersionIds;
    }
  | {
      readonly type: "freeze";
      readonly generation: number;
      readonly quiesceMs: number;
      readonly freezeMs: number;
      /** Whether connections that wait for their clients alone are given up at the end of `quiesceMs`. False unless given. */
      readonly dropStalled?: boolean;
    }
  | {
      readonly type: "suspend";
      readonly generation: number;
      readonly quiesceMs: number;
      readonly freezeMs: number;
      /** Of the program that will resume, null: the state is written in its newest versions. */
      readonly lock: unknown;
      /** How long detached responses may take to finish after the commit. 0 unless given. */
      readonly detachedMs?: number;
      /** As of `freeze`. */
      readonly dropStalled?: boolean;
    }
  | { readonly type: "cancel"; readonly generation: number }
  /** Save the state into a new file, and serve on. */
  | { readonly type: "save"; readonly path: string }
  /** To the old program and to the successor: try the state's way without taking it. */
  | { readonly type: "rehearse" | "verify"; readonly generation: number }
  /** From a supervisor that did not start the program: its first message. */
  | { readonly type: "adopt" };

export type ToSupervisor =
  | { readonly type: "hello"; readonly protocol: readonly [number, number]; readonly pid: number }
  /** Its descriptors: channel, memory, and one listener for every key, in this order. */
  | {
      readonly type: "adopted";
      readonly protocol: readonly [number, number];
      readonly pid: number;
      readonly listeners: readonly string[];
    }
  | { readonly type: "listen"; readonly key: string; readonly address: ListenAddress }
  /** Booted: the record of its descriptions and, as its member `collections`, of its in-place collections; and the keys of the listeners that it uses. */
  | { readonly type: "ready"; readonly lock: unknown; readonly listeners: readonly string[] }
  | AboutUpdate
  /** The file of `save` is whole, or why it is not. */
  | { readonly type: "saved"; readonly error: ErrorRecord | null }
  /** `resumed` when it began with a suspended state. */
  | {
      readonly type: "serving";
      readonly figures: HandoverFigures | null;
      readonly resumed?: ResumeFigures | null;
    }
  | { readonly type: "failed"; readonly error: ErrorRecord };

/** What a program says of one update or suspend. */
export type AboutUpdate = {
  /** Of the update; missing from a program that speaks version 1 only. */
  readonly generation?: number;
} & (
  | {
      /** The versions in which the state will be written, by name of description. */
      readonly type: "prepared";
      readonly versionIds: VersionIds;
    }
  /** Preparing takes longer, and why. */
  | { readonly type: "progress"; readonly text: string }
  | { readonly type: "rehearsed"; readonly streamBytes: number }
  | { readonly type: "verified" }
  /** To the successor's `receive`: it is ready and looks at nothing but the pair until the verdict. Since version 2. */
  | { readonly type: "receiving" }
  | { readonly type: "refused"; readonly error: ErrorRecord }
  | { readonly type: "thawed"; readonly error: ErrorRecord }
  /** The old program has handed over and goes on only to finish connections that stay with it. */
  | { readonly type: "left"; readonly connections: number }
  | { readonly type: "suspended"; readonly figures: SuspendFigures }
);

/** What a hand-over was like, measured on the monotonic clock that both programs share. */
export interface HandoverFigures {
  /** From the first request that was held back to the freeze, ms. */
  readonly quiesceMs: number;
  /** From the freeze to the successor's first I/O, ms. */
  readonly blackoutMs: number;
  readonly streamBytes: number;
  /** Rounds in which tracked maps were sent before the freeze; empty when there are none. */
  readonly preCopy: readonly PreCopyRound[];
  /** Folios of the old program that the state does not have any more; their pages were given back. */
  readonly freedFolios: number;
  readonly httpConnections: number;
  readonly webSockets: number;
  /** Connections of node:net servers and event streams. */
  readonly otherConnections: number;
  /** Connections that were closed because they waited for their clients; missing from an older program. */
  readonly droppedConnections?: number;
}

/** What was suspended, and what it took. */
export interface SuspendFigures {
  /** From the request to the freeze, ms. */
  readonly quiesceMs: number;
  /** From the freeze until the state was in the memory, ms. */
  readonly saveMs: number;
  readonly streamBytes: number;
  readonly folios: number;
  /** Connections that end with the program. */
  readonly connections: number;
  /** Connections that were closed before, because they waited for their clients; missing from an older program. */
  readonly droppedConnections?: number;
}

/** What was resumed, and what it took. */
export interface ResumeFigures {
  /** From the start of the load until the state was there, ms. */
  readonly loadMs: number;
  readonly streamBytes: number;
  /** Folios that the state does not have any more; their pages were given back. */
  readonly freedFolios: number;
}

/** What the supervisor says on the channel to a program that is suspended: look at the verdict word of `generation`. */
export function decidedWord(generation: number): string {
  return `decided ${generation}`;
}

/** Whether it was said of another suspend. Version 1 does not say of which. */
export function isStaleWord(word: string, generation: number): boolean {
  return word.startsWith("decided ") && word !== decidedWord(generation);
}

/** One round of a pre-copy: entries set and keys removed. */
export interface PreCopyRound {
  readonly entries: number;
  readonly bytes: number;
  readonly ms: number;
  /** Entries that changed during the round, for each second of it. */
  readonly changedPerSecond: number;
}

/** Where a slice of a tracked map is in the memory. */
export interface SliceRecord {
  readonly map: string;
  /** Number of the pre-copy. */
  readonly base: number;
  readonly address: number;
  readonly length: number;
}

/** The last message of a hand-over on the pair. */
export interface FrozenRecord {
  readonly descriptors: number;
  readonly quiescedAtNs: string;
  readonly frozenAtNs: string;
  /** What of the tracked maps was sent before the freeze. */
  readonly preCopy: readonly PreCopyRound[];
  /** Connections that were given up while quiescing. 0 unless given. */
  readonly dropped?: number;
}

/** First byte of a message on the pair; JSON follows after `frozen`, `refused` and `slice`, a stream after `sample`. */
export const PAIR = {
  descriptors: 1,
  frozen: 2,
  committed: 3,
  refused: 4,
  slice: 5,
  taken: 6,
  sliced: 7,
  sample: 8,
  freezing: 9,
} as const;

const checks = messageChecks satisfies Record<(ToProgram | ToSupervisor)["type"], Members> &
  Record<AboutUpdate["type"], { readonly since2: { readonly generation: unknown } }>;

/** Reads one line of a control socket; `PROTOCOL_ERROR` unless it is a message of that version of the protocol. */
export function parseMessage(line: string, version: number = PROTOCOL[0]): ToProgram | ToSupervisor {
  let message: unknown;
  try {
    message = JSON.parse(line);
  } catch {
    throw protocolError("a line is not JSON");
  }
  const problem = messageProblem(checks, message, version);
  if (problem !== null) throw protocolError(problem);
  return message as ToProgram | ToSupervisor;
}

/** Writes a message as one line. */
export function formatMessage(message: ToProgram | ToSupervisor): string {
  return `${JSON.stringify(message)}\n`;
}

/** The highest protocol version that both ranges hold; `PROTOCOL_MISMATCH` when there is none. */
export function commonProtocol(ours: readonly [number, number], theirs: readonly [number, number]): number {
  const highest = Math.min(ours[1], theirs[1]);
  if (highest >= Math.max(ours[0], theirs[0])) return highest;
  throw new KstateError(
    "PROTOCOL_MISMATCH",
    `protocol versions ${ours.join(" to ")} and ${theirs.join(" to ")} have none in common: use one major version of kstate on both sides`,
    { ours, theirs },
  );
}

function protocolError(problem: string): KstateError {
  return new KstateError("PROTOCOL_ERROR", `cannot read a control message: ${problem}`, { problem });
}
