// A run's log as its pieces come in: bytes to lines, in order, without gaps or repetitions. Pure.
import { LogStream, type LogChunk } from "../../../../gen/ts/ck8s/runs/v1/runs_pb";
import { timestampMs } from "@bufbuild/protobuf/wkt";

/** One line. */
export interface Line {
  /** Counts from 1 in this attempt. */
  number: number;
  /** Without escape codes and without its end. */
  text: string;
  /** What ck8s itself says, not the workload. */
  system: boolean;
  /** When the worker read its first byte; milliseconds; 0: not known. */
  time: number;
}

/** A page holds at most so many lines; older ones are dropped from the picture, not from the log. */
export const MOST_LINES = 5_000;

// A line longer than this is shown in pieces: no browser likes one line of a megabyte.
const LONGEST_LINE = 16_384;

// CSI and OSC sequences, then the two-character ones; then what else does not print, but for the tab.
const ESCAPES = /\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\|$)|\x1b\[[0-?]*[ -/]*$|\x1b[ -/]*[0-~]|\x1b$/g;
const CONTROLS = /[\x00-\x08\x0b-\x1f\x7f]/g;

/** What a terminal would show of a line: no colours, and of a line that draws over itself the last state. */
export function plain(line: string): string {
  const drawn = line.replace(/\r+$/, "");
  const last = drawn.slice(drawn.lastIndexOf("\r") + 1);
  return last.replace(ESCAPES, "").replace(CONTROLS, "");
}

/** Puts the pieces of one attempt's log together. */
export class LogBook {
  /** The lines that are shown, oldest first. */
  lines: readonly Line[] = [];
  /** The next byte to read from. */
  offset = 0n;
  /** Lines that were dropped from the picture. */
  dropped = 0;
  /** Bytes that the server no longer has, or never had. */
  missing = 0n;
  /** The server cut the log at its size cap. */
  truncated = false;

  private decoder = new TextDecoder();
  private open = "";
  private openSystem = false;
  private openTime = 0;
  private full: Line[] = [];
  private count = 0;

  /** Takes a piece. Bytes that are known already are skipped; bytes that were never sent are counted as missing. */
  push(chunk: LogChunk): void {
    let data = chunk.data;
    const end = chunk.offset + BigInt(data.length);
    if (end <= this.offset && data.length > 0) return;
    if (chunk.offset < this.offset) {
      data = data.subarray(Number(this.offset - chunk.offset));
    } else if (chunk.offset > this.offset) {
      this.close();
      this.missing += chunk.offset - this.offset;
    }
    this.offset = end;
    const system = chunk.stream === LogStream.SYSTEM;
    if (system !== this.openSystem) this.close();
    const time = chunk.time === undefined ? 0 : timestampMs(chunk.time);
    this.openSystem = system;
    if (this.open === "") this.openTime = time;
    this.text(this.decoder.decode(data, { stream: true }), time);
    this.show();
  }

  /** The log has ended: what is left is its last line. */
  end(): void {
    this.close();
    this.show();
  }

  private text(text: string, time: number): void {
    let from = 0;
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", from)) {
      this.add(this.open + text.slice(from, at));
      this.open = "";
      this.openTime = time;
      from = at + 1;
    }
    this.open += text.slice(from);
    while (this.open.length > LONGEST_LINE) {
      this.add(this.open.slice(0, LONGEST_LINE));
      this.open = this.open.slice(LONGEST_LINE);
    }
  }

  private add(text: string): void {
    this.count += 1;
    this.full.push({ number: this.count, text: plain(text), system: this.openSystem, time: this.openTime });
    // In blocks, so that a long log does not move all of its lines for each new one.
    if (this.full.length > MOST_LINES + MOST_LINES / 10) {
      const over = this.full.length - MOST_LINES;
      this.full.splice(0, over);
      this.dropped += over;
    }
  }

  private close(): void {
    this.open += this.decoder.decode();
    if (this.open !== "") this.add(this.open);
    this.open = "";
  }

  private show(): void {
    const shown = this.full.slice();
    if (this.open !== "") {
      shown.push({ number: this.count + 1, text: plain(this.open), system: this.openSystem, time: this.openTime });
    }
    this.lines = shown;
  }
}
