/** What can go wrong in an update, at every step, and what has to come of it. */

export type Victim = "old" | "new" | "supervisor";
/** Which program serves afterwards: one that was there, or one that was started again after a crash. */
export type Serves = "old" | "new" | "restarted";

export interface FaultCase {
  /** Whose step it is. */
  readonly role: "old" | "new";
  readonly step: string;
  readonly action: "kill" | "stop" | "throw" | "hang" | "wait" | "state" | "memory";
  readonly victim: Victim;
  readonly options?: readonly string[];
  readonly serves: readonly Serves[];
  readonly connections: "kept" | "lost" | "either";
  /** Runs with every `npm test`. */
  readonly always?: true;
}

const bootTimeout = ["--boot-timeout", "6000"];
const freezeTimeout = ["--freeze-timeout", "1500"];
const old = { serves: ["old"], connections: "kept" } as const;
const next = { serves: ["new"], connections: "kept" } as const;
const restarted = { serves: ["restarted"], connections: "lost" } as const;

export const matrix: readonly FaultCase[] = [
  { role: "new", step: "boots", action: "kill", victim: "new", ...old },
  { role: "new", step: "boots", action: "throw", victim: "new", ...old },
  { role: "new", step: "boots", action: "hang", victim: "new", options: bootTimeout, ...old },
  { role: "new", step: "boots", action: "stop", victim: "new", options: bootTimeout, ...old },
  { role: "new", step: "boots", action: "kill", victim: "old", ...restarted },
  { role: "new", step: "boots", action: "kill", victim: "supervisor", ...old, always: true },
  { role: "new", step: "joins", action: "kill", victim: "new", ...old },
  { role: "new", step: "joins", action: "throw", victim: "new", ...old },
  { role: "new", step: "joins", action: "kill", victim: "supervisor", ...old },
  { role: "new", step: "joins", action: "state", victim: "new", ...old },
  { role: "old", step: "quiesces", action: "throw", victim: "old", ...old },
  { role: "old", step: "quiesces", action: "wait", victim: "old", ...old },
  { role: "old", step: "quiesces", action: "kill", victim: "old", ...restarted },
  { role: "old", step: "quiesces", action: "kill", victim: "new", ...old },
  {
    role: "old",
    step: "quiesces",
    action: "kill",
    victim: "supervisor",
    serves: ["old", "new"],
    connections: "kept",
  },
  { role: "old", step: "stops", action: "throw", victim: "old", ...old },
  { role: "old", step: "saves", action: "throw", victim: "old", ...old },
  { role: "old", step: "saves", action: "kill", victim: "old", ...restarted, always: true },
  { role: "old", step: "saves", action: "kill", victim: "new", ...old },
  { role: "old", step: "saves", action: "kill", victim: "supervisor", ...next },
  { role: "old", step: "saves", action: "stop", victim: "old", options: freezeTimeout, ...old, always: true },
  { role: "old", step: "saves", action: "memory", victim: "old", ...old },
  { role: "old", step: "has saved", action: "kill", victim: "old", ...restarted },
  { role: "old", step: "has saved", action: "kill", victim: "new", ...old },
  { role: "new", step: "loads", action: "kill", victim: "new", ...old, always: true },
  { role: "new", step: "loads", action: "throw", victim: "new", ...old },
  { role: "new", step: "loads", action: "hang", victim: "new", options: freezeTimeout, ...old },
  { role: "new", step: "loads", action: "stop", victim: "new", options: freezeTimeout, ...old },
  {
    role: "new",
    step: "loads",
    action: "kill",
    victim: "old",
    serves: ["new", "restarted"],
    connections: "either",
  },
  { role: "new", step: "loads", action: "kill", victim: "supervisor", ...next, always: true },
  { role: "new", step: "loads", action: "stop", victim: "supervisor", ...next },
  { role: "new", step: "begins to serve", action: "kill", victim: "new", ...restarted, always: true },
  { role: "new", step: "begins to serve", action: "throw", victim: "new", ...restarted },
  { role: "new", step: "begins to serve", action: "stop", victim: "new", ...next },
  { role: "new", step: "begins to serve", action: "kill", victim: "supervisor", ...next },
];

const whats: Readonly<Record<FaultCase["action"], string>> = {
  kill: "is killed",
  stop: "is stopped (SIGSTOP)",
  throw: "throws",
  hang: "hangs",
  wait: "has a hook that never ends",
  state: "reads no version that the old one writes",
  memory: "has no memory left for the state",
};

/** A case in words: `the new version loads: the supervisor is killed`. */
export function titleOf({ role, step, action, victim }: FaultCase): string {
  const who = victim === "supervisor" ? "the supervisor" : victim === role ? "it" : `the ${victim} one`;
  return `the ${role} version ${step}: ${who} ${whats[action]}`;
}

const serving: Readonly<Record<Serves, string>> = {
  old: "the old version, as if nothing had happened",
  new: "the new version",
  restarted: "the version that had the state, started again from the last checkpoint",
};

/** The page about failures. */
export function failuresPage(): string {
  const rows = matrix.map((each) => {
    const help =
      each.victim === "supervisor" && each.action === "kill"
        ? "`kstate run --adopt`"
        : each.action === "stop" && !(each.victim === "new" && each.step !== "begins to serve")
          ? "SIGCONT"
          : "";
    const step = `the ${each.role} version ${each.step}`;
    const who = each.victim === "supervisor" ? "the supervisor" : `the ${each.victim} version`;
    const serves = each.serves.map((which) => serving[which]).join(", or ");
    const connections = each.connections === "either" ? "kept in the first case" : each.connections;
    return `| ${step} | ${who} ${whats[each.action]} | ${serves} | ${connections} | ${help} |`;
  });
  return `# What happens when something fails

<!-- Made by scripts/failures-doc.mjs from test/faults/matrix.ts. Do not edit. -->

Each row is a test with real processes (\`npm run test:faults\` runs all and prints the table; some run with every
\`npm test\`). Two HTTP clients and a WebSocket count upwards all the time. Afterwards no acknowledged number may be
missing and none may have been taken twice, the service must go on by itself (for a killed supervisor: when another
one adopts it; for a stopped process: when it goes on), and the next update must work.

| while | | who serves then | connections | needs |
| --- | --- | --- | --- | --- |
${rows.join("\n")}

The acknowledged numbers are in an in-place map, so they survive the kill of the program that took them. State in
ordinary objects is then as it was at the last [checkpoint](../guides/state-in-a-file.md).

What nobody can do for a program is end it when it hangs after the commit, for it has the state and all connections:
\`kstate stop\` does, or SIGKILL, after which it is started again.
`;
}
