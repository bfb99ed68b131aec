import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { FlowEventSchema } from "../../../../gen/ts/ck8s/runs/v1/runs_pb";
import { addEvents, details, headline } from "./timeline";

test("events are kept once and in order", () => {
  const event = (cursor: string) => create(FlowEventSchema, { cursor });
  const known = [event("1"), event("2")];
  expect(addEvents(known, [event("2"), event("3")]).map((one) => one.cursor)).toEqual(["1", "2", "3"]);
  expect(addEvents(known, [event("1")])).toBe(known);
});

test("an event's data is shown by name", () => {
  const rows = (dataJson: string) => details(create(FlowEventSchema, { dataJson }));
  expect(rows('{"exit_code":1,"why":"error","none":null}')).toEqual([["exit code", "1"], ["why", "error"]]);
  expect(rows("")).toEqual([]);
  expect(rows("{}")).toEqual([]);
  expect(rows("not json")).toEqual([]);
});

test("each event has a headline", () => {
  const headlineOf = (kind: string, data: object = {}) => headline(create(FlowEventSchema, { kind, dataJson: JSON.stringify(data) }));
  expect(headlineOf("run.leased", { worker_id: "local", slot: 2, attempt: 1 })).toBe("Leased");
  expect(headlineOf("run.running", { attempt: 2 })).toBe("Workload running, attempt 2");
  expect(headlineOf("run.finished", { state: "failed" })).toBe("Ended: failed");
  expect(headlineOf("run.unheard_of")).toBe("run.unheard_of");
});
