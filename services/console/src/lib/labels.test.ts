import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { RunReason, RunSchema } from "../../../../gen/ts/ck8s/runs/v1/runs_pb";
import { reasonLabel, runDuration, runOrigin, runTitle, stateFromLabel, stateLabel, STATES } from "./labels";

test("the duration of a run is how long it waits, is running, or ran", () => {
  const times = { createTime: timestampFromMs(0), startTime: timestampFromMs(2_000), finishTime: timestampFromMs(7_000) };
  expect(runDuration(create(RunSchema, { createTime: times.createTime }), 9_000)).toBe("waits 9 s");
  expect(runDuration(create(RunSchema, { createTime: times.createTime, startTime: times.startTime }), 9_000)).toBe("runs 7 s");
  expect(runDuration(create(RunSchema, times), 9_000)).toBe("5 s");
  expect(runDuration(create(RunSchema, { createTime: times.createTime, finishTime: times.finishTime }), 9_000)).toBe("waited 7 s");
});

test("the title of a run is that of its page, or its trigger's name, or that it was started by hand", () => {
  expect(runTitle(create(RunSchema, { trigger: { title: "Fix it", name: "dev" } }))).toBe("Fix it");
  expect(runTitle(create(RunSchema, { trigger: { name: "dev" } }))).toBe("dev");
  expect(runTitle(create(RunSchema, {}))).toBe("Started by hand");
});

test("the origin of a run is told in the payload's words", () => {
  const issue = create(RunSchema, { trigger: { event: "issues", action: "labeled", number: 12n, actor: "octocat" } });
  expect(runOrigin(issue)).toBe("issues labeled #12 by octocat");
  expect(runOrigin(create(RunSchema, { trigger: { event: "push", ref: "refs/heads/main", actor: "octocat" } }))).toBe("push main by octocat");
  expect(runOrigin(create(RunSchema, { trigger: { actor: "token:local-admin" } }))).toBe("started by local-admin");
});

test("every state and reason has a label", () => {
  expect(STATES.map(stateLabel)).toEqual(["pending", "running", "succeeded", "failed", "canceled"]);
  expect(STATES.map(stateLabel).map(stateFromLabel)).toEqual(STATES);
  const reasons = Object.values(RunReason).filter((reason): reason is RunReason => typeof reason === "number");
  expect(reasons.filter((reason) => reason !== RunReason.UNSPECIFIED && reasonLabel(reason) === "")).toEqual([]);
});
