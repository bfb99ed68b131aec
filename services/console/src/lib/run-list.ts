// The list of runs as pages and watch events come in. Pure: no network, no DOM.
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { RunState, type Run } from "../../../../gen/ts/ck8s/runs/v1/runs_pb";

/** What the list shows. */
export interface Filter {
  /** Only these states; all if there are none. */
  states: readonly RunState[];
  /** Only this project; all if it is empty. */
  projectId: string;
}

/** Bounds the rows of the list: more make the page slow. The rows behind them are fetched again on demand. */
export const MAX_ROWS = 500;

/** Whether a state is final. */
export function isFinal(state: RunState): boolean {
  return state === RunState.SUCCEEDED || state === RunState.FAILED || state === RunState.CANCELED;
}

function progress(run: Run): number {
  if (isFinal(run.state)) return Number.MAX_SAFE_INTEGER;
  const state = run.state === RunState.RUNNING ? 2 : run.slot > 0 ? 1 : 0;
  return run.attempt * 4 + state;
}

/** Whether `other` is certainly a later version of the same run, if it is not known which was read first. */
export function isLater(run: Run, other: Run): boolean {
  return progress(other) > progress(run);
}

/**
 * Whether the run of a watch event replaces the current one. The watch keeps the order, and a run may wait again after it ran, so its run counts:
 * unless it is older than what a list has read since, which shows by an end or by a later attempt.
 */
export function replaces(current: Run, update: Run): boolean {
  if (isFinal(current.state)) return isFinal(update.state);
  return update.attempt >= current.attempt;
}

function createTime(run: Run): number {
  return run.createTime === undefined ? 0 : timestampMs(run.createTime);
}

/** Compares two runs: newest first, as the server lists them. */
export function newestFirst(a: Run, b: Run): number {
  return createTime(b) - createTime(a) || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0);
}

/** Whether a filter lets a run through. */
export function matches(run: Run, filter: Filter): boolean {
  if (filter.projectId !== "" && run.projectId !== filter.projectId) return false;
  return filter.states.length === 0 || filter.states.includes(run.state);
}

/** The rows of the list. Each change returns a new object, so that the page notices it. */
export class RunList {
  private constructor(
    /** Newest first. */
    readonly runs: readonly Run[],
    /** The token of the next page; empty if there is none. */
    readonly nextPageToken: string,
  ) {}

  /** The list before anything was fetched. */
  static readonly empty = new RunList([], "");

  /** The list after its first page. */
  static fromFirstPage(runs: readonly Run[], nextPageToken: string): RunList {
    return new RunList([...runs].sort(newestFirst), nextPageToken);
  }

  /** Adds a page behind the others. What the watch has changed since the page was read is kept. */
  addPage(runs: readonly Run[], nextPageToken: string, filter: Filter): RunList {
    const known = new Map(this.runs.map((run) => [run.id, run]));
    for (const run of runs) {
      const old = known.get(run.id);
      if (old === undefined || isLater(old, run)) known.set(run.id, run);
    }
    const rows = [...known.values()].filter((run) => matches(run, filter)).sort(newestFirst);
    return new RunList(rows, nextPageToken);
  }

  /** Takes a run from the watch. A run that belongs behind the last row of an incomplete list is left to its page. */
  update(run: Run, filter: Filter): RunList {
    const index = this.runs.findIndex((row) => row.id === run.id);
    const old = this.runs[index];
    if (old !== undefined && !replaces(old, run)) return this;
    if (!matches(run, filter)) {
      return old === undefined ? this : new RunList(this.runs.toSpliced(index, 1), this.nextPageToken);
    }
    if (old !== undefined) return new RunList(this.runs.with(index, run), this.nextPageToken);
    const last = this.runs.at(-1);
    if (this.nextPageToken !== "" && last !== undefined && newestFirst(run, last) > 0) return this;
    return new RunList([...this.runs, run].sort(newestFirst), this.nextPageToken);
  }

  /** Whether the list is so long that it should be fetched again from the top. */
  get isFull(): boolean {
    return this.runs.length > MAX_ROWS;
  }
}
