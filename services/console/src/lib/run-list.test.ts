import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { RunSchema, RunState, type Run } from "../../../../gen/ts/ck8s/runs/v1/runs_pb";
import { isFinal, isLater, matches, MAX_ROWS, replaces, RunList, type Filter } from "./run-list";

const ALL: Filter = { states: [], projectId: "" };

function run(id: string, made: number, state = RunState.PENDING, more: Partial<Pick<Run, "attempt" | "slot" | "projectId">> = {}): Run {
  return create(RunSchema, { id, state, attempt: 1, createTime: timestampFromMs(made), ...more });
}

const ids = (list: RunList): string[] => list.runs.map((row) => row.id);

describe("a watch event", () => {
  test("of a new run puts it at the top", () => {
    const list = RunList.fromFirstPage([run("a", 1)], "").update(run("b", 2), ALL);
    expect(ids(list)).toEqual(["b", "a"]);
  });

  test("of a listed run replaces it in place", () => {
    const list = RunList.fromFirstPage([run("b", 2), run("a", 1)], "").update(run("a", 1, RunState.RUNNING), ALL);
    expect(ids(list)).toEqual(["b", "a"]);
    expect(list.runs[1]?.state).toBe(RunState.RUNNING);
  });

  test("that is older than the row changes nothing", () => {
    const list = RunList.fromFirstPage([run("a", 1, RunState.SUCCEEDED)], "");
    expect(list.update(run("a", 1, RunState.RUNNING), ALL)).toBe(list);
  });

  test("of a later attempt replaces the row, though the run waits again", () => {
    const list = RunList.fromFirstPage([run("a", 1, RunState.RUNNING)], "").update(run("a", 1, RunState.PENDING, { attempt: 2 }), ALL);
    expect(list.runs[0]?.attempt).toBe(2);
  });

  test("removes a row that the filter no longer lets through", () => {
    const filter: Filter = { states: [RunState.PENDING], projectId: "" };
    const list = RunList.fromFirstPage([run("a", 1)], "").update(run("a", 1, RunState.RUNNING), filter);
    expect(ids(list)).toEqual([]);
  });

  test("of a run behind the last row is left to its page", () => {
    const list = RunList.fromFirstPage([run("c", 3), run("b", 2)], "next").update(run("a", 1, RunState.RUNNING), ALL);
    expect(ids(list)).toEqual(["c", "b"]);
    const whole = RunList.fromFirstPage([run("c", 3), run("b", 2)], "").update(run("a", 1, RunState.RUNNING), ALL);
    expect(ids(whole)).toEqual(["c", "b", "a"]);
  });
});

describe("another page", () => {
  test("is added behind the others, each run once", () => {
    const list = RunList.fromFirstPage([run("c", 3), run("b", 2)], "next").addPage([run("b", 2), run("a", 1)], "", ALL);
    expect(ids(list)).toEqual(["c", "b", "a"]);
    expect(list.nextPageToken).toBe("");
  });

  test("does not undo what the watch has changed", () => {
    const list = RunList.fromFirstPage([run("b", 2, RunState.SUCCEEDED)], "next").addPage([run("b", 2, RunState.RUNNING)], "", ALL);
    expect(list.runs[0]?.state).toBe(RunState.SUCCEEDED);
  });
});

test("runs created in the same millisecond are ordered by id, as at the server", () => {
  expect(ids(RunList.fromFirstPage([run("a", 1), run("b", 1)], ""))).toEqual(["b", "a"]);
});

test("a list that has grown too long is full", () => {
  const rows = Array.from({ length: MAX_ROWS }, (_, index) => run(String(index).padStart(4, "0"), index));
  const list = RunList.fromFirstPage(rows, "");
  expect(list.isFull).toBe(false);
  expect(list.update(run("x", MAX_ROWS), ALL).isFull).toBe(true);
});

test("a filter combines states and project", () => {
  const one = run("a", 1, RunState.FAILED, { projectId: "p" });
  expect(matches(one, { states: [RunState.FAILED], projectId: "p" })).toBe(true);
  expect(matches(one, { states: [RunState.FAILED], projectId: "q" })).toBe(false);
  expect(matches(one, { states: [RunState.PENDING, RunState.RUNNING], projectId: "" })).toBe(false);
});

test("a watch event replaces a run that waits again, but not one that has ended", () => {
  const running = run("a", 1, RunState.RUNNING, { slot: 1 });
  expect(replaces(running, run("a", 1, RunState.PENDING))).toBe(true);
  expect(replaces(run("a", 1, RunState.PENDING, { attempt: 2 }), running)).toBe(false);
  expect(replaces(run("a", 1, RunState.FAILED), running)).toBe(false);
  expect(replaces(run("a", 1, RunState.FAILED), run("a", 1, RunState.FAILED))).toBe(true);
});

test("a run only moves forward", () => {
  const waiting = run("a", 1);
  const granted = run("a", 1, RunState.PENDING, { slot: 1 });
  const running = run("a", 1, RunState.RUNNING, { slot: 1 });
  const failed = run("a", 1, RunState.FAILED);
  expect([isLater(waiting, granted), isLater(granted, running), isLater(running, failed)]).toEqual([true, true, true]);
  expect([isLater(granted, waiting), isLater(running, granted), isLater(failed, running)]).toEqual([false, false, false]);
  expect([isFinal(RunState.RUNNING), isFinal(RunState.CANCELED)]).toEqual([false, true]);
});
