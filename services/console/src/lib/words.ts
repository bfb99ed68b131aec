// The words for what the contract has as numbers and codes, and times as people read them. Pure.
import { timestampMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import { RunReason, RunState, SlotState, WorkerState, type Run } from "../../../../gen/ts/ck8s/runs/v1/runs_pb";

/** The word for a state: the same as in the command line. */
export function stateWord(state: RunState): string {
  return RunState[state]?.toLowerCase() ?? "unknown";
}

/** The states that can be chosen, in the order in which a run goes through them. */
export const STATES: readonly RunState[] = [
  RunState.PENDING,
  RunState.RUNNING,
  RunState.SUCCEEDED,
  RunState.FAILED,
  RunState.CANCELED,
];

/** The state with this word, if there is one. */
export function stateOf(word: string): RunState | undefined {
  return STATES.find((state) => stateWord(state) === word);
}

const REASONS: Record<RunReason, string> = {
  [RunReason.UNSPECIFIED]: "",
  [RunReason.COMPLETED]: "completed",
  [RunReason.NO_CHANGE]: "nothing to change",
  [RunReason.AGENT_ERROR]: "ended with an error",
  [RunReason.TIMED_OUT]: "ran too long",
  [RunReason.UNSCHEDULED]: "waited too long",
  [RunReason.START_TIMED_OUT]: "did not start in time",
  [RunReason.IMAGE_PULL]: "image cannot be pulled",
  [RunReason.OOM_KILLED]: "out of memory",
  [RunReason.EVICTED]: "evicted by the node",
  [RunReason.WORKER_LOST]: "worker lost",
  [RunReason.CANCELED_BY_USER]: "canceled by somebody",
  [RunReason.SUPERSEDED]: "replaced by a newer run",
  [RunReason.QUOTA_DENIED]: "quota does not allow it",
  [RunReason.UNSCHEDULABLE]: "no node can take it",
  [RunReason.CONFIG_ERROR]: "cannot be started as described",
  [RunReason.WORKLOAD_LOST]: "workload vanished",
};

/** A reason in a few words; empty for a run that has not ended. */
export function reasonWords(reason: RunReason): string {
  return REASONS[reason] ?? "unknown";
}

/** The word for a slot's state. */
export function slotWord(state: SlotState): string {
  return SlotState[state]?.toLowerCase() ?? "unknown";
}

/** The word for a worker's state. */
export function workerWord(state: WorkerState): string {
  return WorkerState[state]?.toLowerCase() ?? "unknown";
}

/** What a run is called: what its trigger's page is called, else its trigger, else that somebody started it. */
export function runTitle(run: Run): string {
  return run.trigger?.title || run.trigger?.name || "Started by hand";
}

/** What made it, in a few words: `issues labeled #12 by octocat`. */
export function runOrigin(run: Run): string {
  const trigger = run.trigger;
  if (trigger === undefined) return "";
  const words = trigger.event === "" ? ["started"] : [trigger.event, trigger.action];
  if (trigger.number !== 0n) words.push(`#${trigger.number}`);
  else if (trigger.ref !== "") words.push(trigger.ref.replace(/^refs\/(heads|tags)\//, ""));
  if (trigger.actor !== "") words.push(`by ${trigger.actor.replace(/^(token|github):/, "")}`);
  return words.filter((word) => word !== "").join(" ");
}

/** A server's words as a sentence begins; a single word may be a name, and stays as it is. */
export function sentence(words: string): string {
  return /^[a-z]+[,:]?\s/.test(words) ? words.charAt(0).toUpperCase() + words.slice(1) : words;
}

/** The page at the provider, if it is one that a browser may open. */
export function safeUrl(url: string): string | undefined {
  return /^https?:\/\//i.test(url) ? url : undefined;
}

/** The end of an id, which is what tells ids of one day apart. */
export function shortId(id: string): string {
  return id.length > 12 ? id.slice(-12) : id;
}

/** Milliseconds since 1970; undefined for an unset time. */
export function ms(time: Timestamp | undefined): number | undefined {
  return time === undefined ? undefined : timestampMs(time);
}

/** A span in at most two units: `0 s`, `42 s`, `3 min 5 s`, `2 h 10 min`, `4 d 1 h`. */
export function span(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const units: [number, string][] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3_600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ];
  const first = units.findIndex(([count]) => count > 0);
  if (first < 0) return "0 s";
  return units
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(" ");
}

/** A short span with its milliseconds: `120 ms`, `1.4 s`, then as `span`. */
export function fineSpan(milliseconds: number): string {
  if (milliseconds < 0) return "0 ms";
  if (milliseconds < 1_000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 10_000) return `${(milliseconds / 1_000).toFixed(1)} s`;
  return span(milliseconds);
}

/** How long a run has waited, runs, or ran. */
export function runSpan(run: Run, now: number): string {
  const made = ms(run.createTime) ?? now;
  const started = ms(run.startTime);
  const finished = ms(run.finishTime);
  if (finished !== undefined) return started === undefined ? `waited ${span(finished - made)}` : span(finished - started);
  return started === undefined ? `waits ${span(now - made)}` : `runs ${span(now - started)}`;
}
