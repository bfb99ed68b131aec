// What people read for the states, reasons and runs of the contract. Pure.
import { RunReason, RunState, SlotState, WorkerState, type Run } from "../../../../gen/ts/ck8s/runs/v1/runs_pb";
import { formatDuration, toMilliseconds } from "./format";

/** Returns the label of a state, the same as in the command line. */
export function stateLabel(state: RunState): string {
  return RunState[state]?.toLowerCase() ?? "unknown";
}

/** The states, in the order in which a run goes through them. */
export const STATES: readonly RunState[] = [
  RunState.PENDING,
  RunState.RUNNING,
  RunState.SUCCEEDED,
  RunState.FAILED,
  RunState.CANCELED,
];

/** Returns the state with this label, if there is one. */
export function stateFromLabel(label: string): RunState | undefined {
  return STATES.find((state) => stateLabel(state) === label);
}

const REASON_LABELS: Record<RunReason, string> = {
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

/** Returns the label of a reason; empty for a run that has not ended. */
export function reasonLabel(reason: RunReason): string {
  return REASON_LABELS[reason] ?? "unknown";
}

/** Returns the label of a slot's state. */
export function slotLabel(state: SlotState): string {
  return SlotState[state]?.toLowerCase() ?? "unknown";
}

/** Returns the label of a worker's state. */
export function workerLabel(state: WorkerState): string {
  return WorkerState[state]?.toLowerCase() ?? "unknown";
}

/** Returns the title of a run: that of the page that triggered it, or else the trigger's name. */
export function runTitle(run: Run): string {
  return run.trigger?.title || run.trigger?.name || "Started by hand";
}

/** Returns what created a run: `issues labeled #12 by octocat`. */
export function runOrigin(run: Run): string {
  const trigger = run.trigger;
  if (trigger === undefined) return "";
  const words = trigger.event === "" ? ["started"] : [trigger.event, trigger.action];
  if (trigger.number !== 0n) words.push(`#${trigger.number}`);
  else if (trigger.ref !== "") words.push(trigger.ref.replace(/^refs\/(heads|tags)\//, ""));
  if (trigger.actor !== "") words.push(`by ${trigger.actor.replace(/^(token|github):/, "")}`);
  return words.filter((word) => word !== "").join(" ");
}

/** Returns how long a run has waited, is running, or ran. */
export function runDuration(run: Run, now: number): string {
  const created = toMilliseconds(run.createTime) ?? now;
  const started = toMilliseconds(run.startTime);
  const finished = toMilliseconds(run.finishTime);
  if (finished !== undefined) return started === undefined ? `waited ${formatDuration(finished - created)}` : formatDuration(finished - started);
  return started === undefined ? `waits ${formatDuration(now - created)}` : `runs ${formatDuration(now - started)}`;
}
