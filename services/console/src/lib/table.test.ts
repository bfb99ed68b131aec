import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { RunSchema, RunState, type Run } from "../../../../gen/ts/ck8s/runs/v1/runs_pb";
import { ended, later, matches, MOST_ROWS, Table, takes, type Filter } from "./table";

const ALL: Filter = { states: [], projectId: "" };

function run(id: string, made: number, state = RunState.PENDING, more: Partial<Pick<Run, "attempt" | "slot" | "projectId">> = {}): Run {
  return create(RunSchema, { id, state, attempt: 1, createTime: timestampFromMs(made), ...more });
}

const ids = (table: Table): string[] => table.runs.map((row) => row.id);

describe("a watch event", () => {
  test("of a new run puts it at the top", () => {
    const table = Table.first([run("a", 1)], "").watched(run("b", 2), ALL);
    expect(ids(table)).toEqual(["b", "a"]);
  });

  test("of a known run replaces it in place", () => {
    const table = Table.first([run("b", 2), run("a", 1)], "").watched(run("a", 1, RunState.RUNNING), ALL);
    expect(ids(table)).toEqual(["b", "a"]);
    expect(table.runs[1]?.state).toBe(RunState.RUNNING);
  });

  test("that is older than the row changes nothing", () => {
    const table = Table.first([run("a", 1, RunState.SUCCEEDED)], "");
    expect(table.watched(run("a", 1, RunState.RUNNING), ALL)).toBe(table);
  });

  test("of a later attempt is later, though it waits again", () => {
    const table = Table.first([run("a", 1, RunState.RUNNING)], "").watched(run("a", 1, RunState.PENDING, { attempt: 2 }), ALL);
    expect(table.runs[0]?.attempt).toBe(2);
  });

  test("takes a row away that the filter no longer lets through", () => {
    const filter: Filter = { states: [RunState.PENDING], projectId: "" };
    const table = Table.first([run("a", 1)], "").watched(run("a", 1, RunState.RUNNING), filter);
    expect(ids(table)).toEqual([]);
  });

  test("of a run behind the last row waits for its page", () => {
    const table = Table.first([run("c", 3), run("b", 2)], "next").watched(run("a", 1, RunState.RUNNING), ALL);
    expect(ids(table)).toEqual(["c", "b"]);
    const whole = Table.first([run("c", 3), run("b", 2)], "").watched(run("a", 1, RunState.RUNNING), ALL);
    expect(ids(whole)).toEqual(["c", "b", "a"]);
  });
});

describe("one more page", () => {
  test("goes behind the others, each run once", () => {
    const table = Table.first([run("c", 3), run("b", 2)], "next").page([run("b", 2), run("a", 1)], "", ALL);
    expect(ids(table)).toEqual(["c", "b", "a"]);
    expect(table.next).toBe("");
  });

  test("does not undo what the watch has told", () => {
    const table = Table.first([run("b", 2, RunState.SUCCEEDED)], "next").page([run("b", 2, RunState.RUNNING)], "", ALL);
    expect(table.runs[0]?.state).toBe(RunState.SUCCEEDED);
  });
});

test("runs made in the same millisecond are ordered by id, as the server does", () => {
  expect(ids(Table.first([run("a", 1), run("b", 1)], ""))).toEqual(["b", "a"]);
});

test("a list that grew too long says so", () => {
  const rows = Array.from({ length: MOST_ROWS }, (_, index) => run(String(index).padStart(4, "0"), index));
  const table = Table.first(rows, "");
  expect(table.full).toBe(false);
  expect(table.watched(run("x", MOST_ROWS), ALL).full).toBe(true);
});

test("the filter takes states and project together", () => {
  const one = run("a", 1, RunState.FAILED, { projectId: "p" });
  expect(matches(one, { states: [RunState.FAILED], projectId: "p" })).toBe(true);
  expect(matches(one, { states: [RunState.FAILED], projectId: "q" })).toBe(false);
  expect(matches(one, { states: [RunState.PENDING, RunState.RUNNING], projectId: "" })).toBe(false);
});

test("a watch may tell of a run that waits again, but not of one that has ended otherwise", () => {
  const running = run("a", 1, RunState.RUNNING, { slot: 1 });
  expect(takes(running, run("a", 1, RunState.PENDING))).toBe(true);
  expect(takes(run("a", 1, RunState.PENDING, { attempt: 2 }), running)).toBe(false);
  expect(takes(run("a", 1, RunState.FAILED), running)).toBe(false);
  expect(takes(run("a", 1, RunState.FAILED), run("a", 1, RunState.FAILED))).toBe(true);
});

test("a run moves forward only", () => {
  const waiting = run("a", 1);
  const granted = run("a", 1, RunState.PENDING, { slot: 1 });
  const running = run("a", 1, RunState.RUNNING, { slot: 1 });
  const failed = run("a", 1, RunState.FAILED);
  expect([later(waiting, granted), later(granted, running), later(running, failed)]).toEqual([true, true, true]);
  expect([later(granted, waiting), later(running, granted), later(failed, running)]).toEqual([false, false, false]);
  expect([ended(RunState.RUNNING), ended(RunState.CANCELED)]).toEqual([false, true]);
});
