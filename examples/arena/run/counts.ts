/** What the load process counts, from its start; it travels as JSON. */
export interface Counts {
  readonly webSockets: number;
  readonly webSocketsClosed: number;
  /** Messages of the clients, and messages to them. */
  readonly sent: number;
  readonly received: number;
  /** Both directions. */
  readonly lost: number;
  readonly doubled: number;
  readonly reordered: number;
  readonly keepAlive: number;
  /** Keep-alive connections that had to be opened again. */
  readonly reopened: number;
  readonly requests: number;
  readonly failed: number;
  /** Chat lines that the server has confirmed. */
  readonly posts: number;
  /** The first problems, in words. */
  readonly problems: readonly string[];
}

/** What the probe measured since the last question. Times in ms. */
export interface ProbeFigures {
  readonly answers: number;
  readonly medianGapMs: number;
  readonly longestGapMs: number;
  /** Between the last answer of one program and the first of the next; null when there was one program only. */
  readonly blackoutMs: number | null;
  readonly lost: number;
  readonly doubled: number;
}

/** The figures of two moments as the figures of the time between them. */
export function countsBetween(before: Counts, after: Counts): Counts {
  const difference = (key: Exclude<keyof Counts, "problems">): number => after[key] - before[key];
  return {
    webSockets: before.webSockets - before.webSocketsClosed,
    webSocketsClosed: difference("webSocketsClosed"),
    sent: difference("sent"),
    received: difference("received"),
    lost: difference("lost"),
    doubled: difference("doubled"),
    reordered: difference("reordered"),
    keepAlive: after.keepAlive,
    reopened: difference("reopened"),
    requests: difference("requests"),
    failed: difference("failed"),
    posts: difference("posts"),
    problems: after.problems.slice(before.problems.length),
  };
}
