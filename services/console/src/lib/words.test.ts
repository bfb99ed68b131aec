import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { FlowEventSchema, RunReason, RunSchema, RunState } from "../../../../gen/ts/ck8s/runs/v1/runs_pb";
import { linkCode, parse, runHref, runsHref } from "./route";
import { details, extend, headline } from "./timeline";
import { uuid } from "./uuid";
import { fineSpan, reasonWords, runOrigin, runSpan, runTitle, safeUrl, sentence, span, stateOf, stateWord, STATES } from "./words";

test("spans have at most two units", () => {
  const seconds = [-5, 0, 42, 60, 185, 3_600, 7_800, 349_200];
  expect(seconds.map((s) => span(s * 1_000))).toEqual(["0 s", "0 s", "42 s", "1 min", "3 min 5 s", "1 h", "2 h 10 min", "4 d 1 h"]);
  expect([0, 120, 1_400, 12_000].map(fineSpan)).toEqual(["0 ms", "120 ms", "1.4 s", "12 s"]);
});

test("a run's time is its wait, its course, or its length", () => {
  const times = { createTime: timestampFromMs(0), startTime: timestampFromMs(2_000), finishTime: timestampFromMs(7_000) };
  expect(runSpan(create(RunSchema, { createTime: times.createTime }), 9_000)).toBe("waits 9 s");
  expect(runSpan(create(RunSchema, { createTime: times.createTime, startTime: times.startTime }), 9_000)).toBe("runs 7 s");
  expect(runSpan(create(RunSchema, times), 9_000)).toBe("5 s");
  expect(runSpan(create(RunSchema, { createTime: times.createTime, finishTime: times.finishTime }), 9_000)).toBe("waited 7 s");
});

test("a run is called by its title, its trigger, or by hand", () => {
  expect(runTitle(create(RunSchema, { trigger: { title: "Fix it", name: "dev" } }))).toBe("Fix it");
  expect(runTitle(create(RunSchema, { trigger: { name: "dev" } }))).toBe("dev");
  expect(runTitle(create(RunSchema, {}))).toBe("Started by hand");
});

test("its origin is told in the payload's words", () => {
  const issue = create(RunSchema, { trigger: { event: "issues", action: "labeled", number: 12n, actor: "octocat" } });
  expect(runOrigin(issue)).toBe("issues labeled #12 by octocat");
  expect(runOrigin(create(RunSchema, { trigger: { event: "push", ref: "refs/heads/main", actor: "octocat" } }))).toBe("push main by octocat");
  expect(runOrigin(create(RunSchema, { trigger: { actor: "token:local-admin" } }))).toBe("started by local-admin");
});

test("every state and reason has words", () => {
  expect(STATES.map(stateWord)).toEqual(["pending", "running", "succeeded", "failed", "canceled"]);
  expect(STATES.map(stateWord).map(stateOf)).toEqual(STATES);
  const reasons = Object.values(RunReason).filter((reason): reason is RunReason => typeof reason === "number");
  expect(reasons.filter((reason) => reason !== RunReason.UNSPECIFIED && reasonWords(reason) === "")).toEqual([]);
});

test("only pages of the web become links", () => {
  expect(safeUrl("https://github.com/a/b/issues/1")).toBe("https://github.com/a/b/issues/1");
  expect(["javascript:alert(1)", " https://x", "", "data:text/html,x"].map(safeUrl)).toEqual([undefined, undefined, undefined, undefined]);
});

test("addresses and pages belong together", () => {
  const filter = { states: [RunState.PENDING, RunState.FAILED], projectId: "p 1" };
  expect(parse(runsHref(filter))).toEqual({ page: "runs", filter });
  expect(parse("")).toEqual({ page: "runs", filter: { states: [], projectId: "" } });
  expect(parse("#/runs?state=nonsense")).toEqual({ page: "runs", filter: { states: [], projectId: "" } });
  expect(parse(runHref("01-ab"))).toEqual({ page: "run", id: "01-ab" });
  expect(parse("#/elsewhere")).toEqual({ page: "unknown" });
  expect(parse("#/runs/%E0%A4%A")).toEqual({ page: "unknown" });
});

test("a sign-in link is recognised, and nothing else is", () => {
  expect(linkCode("#link=abc_DEF-123")).toBe("abc_DEF-123");
  expect(["#/runs", "#link=", "", "#link=a b"].map(linkCode)).toEqual([undefined, undefined, undefined, undefined]);
});

test("events are kept once and in order", () => {
  const event = (cursor: string) => create(FlowEventSchema, { cursor });
  const known = [event("1"), event("2")];
  expect(extend(known, [event("2"), event("3")]).map((one) => one.cursor)).toEqual(["1", "2", "3"]);
  expect(extend(known, [event("1")])).toBe(known);
});

test("an event's data is shown by name", () => {
  const rows = (dataJson: string) => details(create(FlowEventSchema, { dataJson }));
  expect(rows('{"exit_code":1,"why":"error","none":null}')).toEqual([["exit code", "1"], ["why", "error"]]);
  expect(rows("")).toEqual([]);
  expect(rows("{}")).toEqual([]);
  expect(rows("not json")).toEqual([]);
});

test("events are told in words", () => {
  const told = (kind: string, data: object = {}) => headline(create(FlowEventSchema, { kind, dataJson: JSON.stringify(data) }));
  expect(told("run.leased", { worker_id: "local", slot: 2, attempt: 1 })).toBe("Granted");
  expect(told("run.running", { attempt: 2 })).toBe("Its workload runs, attempt 2");
  expect(told("run.finished", { state: "failed" })).toBe("Ended: failed");
  expect(told("run.unheard_of")).toBe("run.unheard_of");
});

test("words become a sentence, names stay names", () => {
  expect(["slot 1 on worker local", "process:4711", "", "Done."].map(sentence)).toEqual(["Slot 1 on worker local", "process:4711", "", "Done."]);
});

test("ids are random UUIDs of version 4", () => {
  expect(uuid()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(uuid()).not.toBe(uuid());
});
