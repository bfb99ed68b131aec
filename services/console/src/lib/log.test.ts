import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { LogChunkSchema, LogStream, type LogChunk } from "../../../../gen/ts/ck8s/runs/v1/runs_pb";
import { LogBook, MOST_LINES, plain } from "./log";

function chunk(offset: number, text: string | Uint8Array<ArrayBuffer>, stream = LogStream.OUTPUT): LogChunk {
  const data = typeof text === "string" ? new TextEncoder().encode(text) : text;
  return create(LogChunkSchema, { offset: BigInt(offset), data, stream, attempt: 1 });
}

function book(...chunks: LogChunk[]): LogBook {
  const made = new LogBook();
  for (const one of chunks) made.push(one);
  return made;
}

const texts = (made: LogBook): string[] => made.lines.map((line) => line.text);

describe("pieces", () => {
  test("become lines, also where a line is split over two", () => {
    const made = book(chunk(0, "one\ntw"), chunk(6, "o\nthree\n"));
    expect(texts(made)).toEqual(["one", "two", "three"]);
    expect(made.lines.map((line) => line.number)).toEqual([1, 2, 3]);
    expect(made.offset).toBe(14n);
  });

  test("show a line before it ends, under the number that it keeps", () => {
    const made = book(chunk(0, "wai"));
    expect(made.lines).toMatchObject([{ number: 1, text: "wai" }]);
    made.push(chunk(3, "ting\n"));
    expect(made.lines).toMatchObject([{ number: 1, text: "waiting" }]);
  });

  test("that come twice are taken once", () => {
    expect(texts(book(chunk(0, "one\n"), chunk(0, "one\n"), chunk(4, "two\n")))).toEqual(["one", "two"]);
  });

  test("that overlap give their new part", () => {
    expect(texts(book(chunk(0, "one\ntw"), chunk(4, "two\n")))).toEqual(["one", "two"]);
  });

  test("with a gap before them are shown, and the gap is counted", () => {
    const made = book(chunk(100, "late\n"));
    expect(texts(made)).toEqual(["late"]);
    expect(made.missing).toBe(100n);
    expect(made.offset).toBe(105n);
  });

  test("may split a character", () => {
    const bytes = new TextEncoder().encode("grün ✓\n");
    for (let at = 1; at < bytes.length; at += 1) {
      expect(texts(book(chunk(0, bytes.slice(0, at)), chunk(at, bytes.slice(at))))).toEqual(["grün ✓"]);
    }
  });

  test("of ck8s itself stand apart, and end an open line", () => {
    const made = book(chunk(0, "half"), chunk(4, "pod started\n", LogStream.SYSTEM), chunk(16, "more\n"));
    expect(made.lines).toMatchObject([
      { text: "half", system: false },
      { text: "pod started", system: true },
      { text: "more", system: false },
    ]);
  });

  test("an empty one moves nothing", () => {
    const made = book(chunk(0, "a\n"), chunk(2, ""));
    expect(made.offset).toBe(2n);
    expect(texts(made)).toEqual(["a"]);
  });
});

test("the end closes the last line", () => {
  const made = book(chunk(0, "no newline"));
  made.end();
  expect(texts(made)).toEqual(["no newline"]);
  made.end();
  expect(texts(made)).toEqual(["no newline"]);
});

test("a long log keeps its last lines and says how many it dropped", () => {
  const many = MOST_LINES * 2;
  const made = book(chunk(0, Array.from({ length: many }, (_, index) => `line ${index + 1}\n`).join("")));
  expect(made.lines.at(-1)).toMatchObject({ number: many, text: `line ${many}` });
  expect(made.lines.length + made.dropped).toBe(many);
  expect(made.lines.length).toBeLessThanOrEqual(MOST_LINES * 1.1);
});

test("a line without end is shown in pieces", () => {
  const made = book(chunk(0, "x".repeat(40_000)));
  expect(made.lines.length).toBe(3);
  expect(texts(made).join("").length).toBe(40_000);
});

describe("a line as a terminal shows it", () => {
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
    expect(plain(raw)).toBe(shown);
  });
});
