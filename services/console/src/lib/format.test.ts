import { expect, test } from "vitest";
import { formatDuration, formatShortDuration, safeUrl, sentence } from "./format";

test("a duration has at most two units", () => {
  const seconds = [-5, 0, 42, 60, 185, 3_600, 7_800, 349_200];
  expect(seconds.map((s) => formatDuration(s * 1_000))).toEqual(["0 s", "0 s", "42 s", "1 min", "3 min 5 s", "1 h", "2 h 10 min", "4 d 1 h"]);
  expect([0, 120, 1_400, 12_000].map(formatShortDuration)).toEqual(["0 ms", "120 ms", "1.4 s", "12 s"]);
});

test("only web addresses become links", () => {
  expect(safeUrl("https://github.com/a/b/issues/1")).toBe("https://github.com/a/b/issues/1");
  expect(["javascript:alert(1)", " https://x", "", "data:text/html,x"].map(safeUrl)).toEqual([undefined, undefined, undefined, undefined]);
});

test("a message becomes a sentence, a name stays a name", () => {
  expect(["slot 1 on worker local", "process:4711", "", "Done."].map(sentence)).toEqual(["Slot 1 on worker local", "process:4711", "", "Done."]);
});
