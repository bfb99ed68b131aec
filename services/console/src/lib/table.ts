// The list of runs as pages and watch events come in. Pure: no network, no DOM.
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { RunState, type Run } from "../../../../gen/ts/ck8s/runs/v1/runs_pb";

/** What the list shows. */
export interface Filter {
  /** Only these states; none: all. */
  states: readonly RunState[];
  /** Only this project; empty: all. */
  projectId: string;
}

/** More rows than this make the page slow; the rows behind them are fetched again on demand. */
export const MOST_ROWS = 500;

/** Has it ended? */
export function ended(state: RunState): boolean {
  return state === RunState.SUCCEEDED || state === RunState.FAILED || state === RunState.CANCELED;
}

function progress(run: Run): number {
  if (ended(run.state)) return Number.MAX_SAFE_INTEGER;
  const state = run.state === RunState.RUNNING ? 2 : run.slot > 0 ? 1 : 0;
  return run.attempt * 4 + state;
}

/** Is `other` surely a later picture of the same run, when it is not known which was taken first? */
export function later(run: Run, other: Run): boolean {
  return progress(other) > progress(run);
}

/**
 * May a watch event put `told` in the place of `known`? The watch tells in order, and a run may wait again after it ran: its word counts, but for
 * one that lies before what a list has read since: an end, or a later attempt.
 */
export function takes(known: Run, told: Run): boolean {
  if (ended(known.state)) return ended(told.state);
  return told.attempt >= known.attempt;
}

function made(run: Run): number {
  return run.createTime === undefined ? 0 : timestampMs(run.createTime);
}

/** Newest first, as the server lists them. */
export function newestFirst(a: Run, b: Run): number {
  return made(b) - made(a) || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0);
}

/** Does the filter let it through? */
export function matches(run: Run, filter: Filter): boolean {
  if (filter.projectId !== "" && run.projectId !== filter.projectId) return false;
  return filter.states.length === 0 || filter.states.includes(run.state);
}

/** The rows of the list. Each change makes a new object, so that the page sees it. */
export class Table {
  private constructor(
    /** Newest first. */
    readonly runs: readonly Run[],
    /** Where the next page starts; empty: there is none. */
    readonly next: string,
  ) {}

  /** Before anything was fetched. */
  static readonly empty = new Table([], "");

  /** The first page. */
  static first(runs: readonly Run[], next: string): Table {
    return new Table([...runs].sort(newestFirst), next);
  }

  /** One more page behind the others. What the watch has told since the page was read is kept. */
  page(runs: readonly Run[], next: string, filter: Filter): Table {
    const known = new Map(this.runs.map((run) => [run.id, run]));
    for (const run of runs) {
      const old = known.get(run.id);
      if (old === undefined || later(old, run)) known.set(run.id, run);
    }
    const rows = [...known.values()].filter((run) => matches(run, filter)).sort(newestFirst);
    return new Table(rows, next);
  }

  /** A run as the watch tells it. One that belongs behind the last row of an unfinished list is left to its page. */
  watched(run: Run, filter: Filter): Table {
    const index = this.runs.findIndex((row) => row.id === run.id);
    const old = this.runs[index];
    if (old !== undefined && !takes(old, run)) return this;
    if (!matches(run, filter)) {
      return old === undefined ? this : new Table(this.runs.toSpliced(index, 1), this.next);
    }
    if (old !== undefined) return new Table(this.runs.with(index, run), this.next);
    const last = this.runs.at(-1);
    if (this.next !== "" && last !== undefined && newestFirst(run, last) > 0) return this;
    return new Table([...this.runs, run].sort(newestFirst), this.next);
  }

  /** Has it grown so far that it should be fetched again from the top? */
  get full(): boolean {
    return this.runs.length > MOST_ROWS;
  }
}
