import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { LogChunkSchema, LogStream, type LogChunk } from "../../../../gen/ts/ck8s/runs/v1/runs_pb";
import { LogLines, MAX_LINES, plainText } from "./log-lines";

function chunk(offset: number, text: string | Uint8Array<ArrayBuffer>, stream = LogStream.OUTPUT): LogChunk {
  const data = typeof text === "string" ? new TextEncoder().encode(text) : text;
  return create(LogChunkSchema, { offset: BigInt(offset), data, stream, attempt: 1 });
}

function logOf(...chunks: LogChunk[]): LogLines {
  const log = new LogLines();
  for (const one of chunks) log.push(one);
  return log;
}

const texts = (log: LogLines): string[] => log.lines.map((line) => line.text);

describe("chunks", () => {
  test("become lines, also where a line is split over two", () => {
    const log = logOf(chunk(0, "one\ntw"), chunk(6, "o\nthree\n"));
    expect(texts(log)).toEqual(["one", "two", "three"]);
    expect(log.lines.map((line) => line.number)).toEqual([1, 2, 3]);
    expect(log.offset).toBe(14n);
  });

  test("show a line before it ends, with its final number", () => {
    const log = logOf(chunk(0, "wai"));
    expect(log.lines).toMatchObject([{ number: 1, text: "wai" }]);
    log.push(chunk(3, "ting\n"));
    expect(log.lines).toMatchObject([{ number: 1, text: "waiting" }]);
  });

  test("that come twice are added once", () => {
    expect(texts(logOf(chunk(0, "one\n"), chunk(0, "one\n"), chunk(4, "two\n")))).toEqual(["one", "two"]);
  });

  test("that overlap add their new part", () => {
    expect(texts(logOf(chunk(0, "one\ntw"), chunk(4, "two\n")))).toEqual(["one", "two"]);
  });

  test("with a gap before them are shown, and the gap is counted", () => {
    const log = logOf(chunk(100, "late\n"));
    expect(texts(log)).toEqual(["late"]);
    expect(log.missing).toBe(100n);
    expect(log.offset).toBe(105n);
  });

  test("may split a character", () => {
    const bytes = new TextEncoder().encode("grün ✓\n");
    for (let at = 1; at < bytes.length; at += 1) {
      expect(texts(logOf(chunk(0, bytes.slice(0, at)), chunk(at, bytes.slice(at))))).toEqual(["grün ✓"]);
    }
  });

  test("of ck8s itself are lines of their own, and end an open line", () => {
    const log = logOf(chunk(0, "half"), chunk(4, "pod started\n", LogStream.SYSTEM), chunk(16, "more\n"));
    expect(log.lines).toMatchObject([
      { text: "half", system: false },
      { text: "pod started", system: true },
      { text: "more", system: false },
    ]);
  });

  test("that are empty change nothing", () => {
    const log = logOf(chunk(0, "a\n"), chunk(2, ""));
    expect(log.offset).toBe(2n);
    expect(texts(log)).toEqual(["a"]);
  });
});

test("the end closes the last line", () => {
  const log = logOf(chunk(0, "no newline"));
  log.end();
  expect(texts(log)).toEqual(["no newline"]);
  log.end();
  expect(texts(log)).toEqual(["no newline"]);
});

test("a long log keeps its last lines and counts the dropped ones", () => {
  const many = MAX_LINES * 2;
  const log = logOf(chunk(0, Array.from({ length: many }, (_, index) => `line ${index + 1}\n`).join("")));
  expect(log.lines.at(-1)).toMatchObject({ number: many, text: `line ${many}` });
  expect(log.lines.length + log.dropped).toBe(many);
  expect(log.lines.length).toBeLessThanOrEqual(MAX_LINES * 1.1);
});

test("a very long line is shown in parts", () => {
  const log = logOf(chunk(0, "x".repeat(40_000)));
  expect(log.lines.length).toBe(3);
  expect(texts(log).join("").length).toBe(40_000);
});

describe("the text of a line, as a terminal shows it", () => {
  test.each([
    ["\x1b[32mok\x1b[0m done", "ok done"],
    ["\x1b[1;38;5;196mred\x1b[m", "red"],
    ["\x1b]0;title\x07text", "text"],
    ["\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x1b\\", "link"],
    ["10 %\r50 %\r100 %", "100 %"],
    ["windows\r", "windows"],
    ["tab\tkept", "tab\tkept"],
    ["bell\x07 and null\x00", "bell and null"],
    ["cut off \x1b[3", "cut off "],
    ["<b>not markup</b>", "<b>not markup</b>"],
  ])("%j", (raw, shown) => {
    expect(plainText(raw)).toBe(shown);
  });
});
