import { expect, test } from "vitest";
import { RunState } from "../../../../gen/ts/ck8s/runs/v1/runs_pb";
import { linkCode, parseRoute, runHref, runsHref } from "./route";

test("each page has an address, and each address a page", () => {
  const filter = { states: [RunState.PENDING, RunState.FAILED], projectId: "p 1" };
  expect(parseRoute(runsHref(filter))).toEqual({ page: "runs", filter });
  expect(parseRoute("")).toEqual({ page: "runs", filter: { states: [], projectId: "" } });
  expect(parseRoute("#/runs?state=nonsense")).toEqual({ page: "runs", filter: { states: [], projectId: "" } });
  expect(parseRoute(runHref("01-ab"))).toEqual({ page: "run", id: "01-ab" });
  expect(parseRoute("#/elsewhere")).toEqual({ page: "unknown" });
  expect(parseRoute("#/runs/%E0%A4%A")).toEqual({ page: "unknown" });
});

test("only a sign-in link has a code", () => {
  expect(linkCode("#link=abc_DEF-123")).toBe("abc_DEF-123");
  expect(["#/runs", "#link=", "", "#link=a b"].map(linkCode)).toEqual([undefined, undefined, undefined, undefined]);
});
