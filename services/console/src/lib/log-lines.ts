// Turns the chunks of a run's log into lines, in order, without gaps or repetitions. Pure.
import { LogStream, type LogChunk } from "../../../../gen/ts/ck8s/runs/v1/runs_pb";
import { timestampMs } from "@bufbuild/protobuf/wkt";

/** One line. */
export interface Line {
  /** The line's number in this attempt, from 1. */
  number: number;
  /** Its text, without escape codes and without its end. */
  text: string;
  /** Whether ck8s itself wrote it, not the workload. */
  system: boolean;
  /** When the worker read its first byte; milliseconds since 1970, 0 if that is unknown. */
  time: number;
}

/** Bounds the lines that a page shows. Older ones are dropped from the page, not from the log. */
export const MAX_LINES = 5_000;

// A longer line is shown in parts: browsers are slow with a line of a megabyte; characters.
const MAX_LINE_LENGTH = 16_384;

// CSI and OSC sequences, then the two-character ones; then what else does not print, but for the tab.
const ESCAPES = /\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\|$)|\x1b\[[0-?]*[ -/]*$|\x1b[ -/]*[0-~]|\x1b$/g;
const CONTROLS = /[\x00-\x08\x0b-\x1f\x7f]/g;

/**
 * Returns what a terminal would show of a line: without colours, and of a line that overwrites itself the last state.
 */
export function plainText(line: string): string {
  const drawn = line.replace(/\r+$/, "");
  const last = drawn.slice(drawn.lastIndexOf("\r") + 1);
  return last.replace(ESCAPES, "").replace(CONTROLS, "");
}

/** The lines of one attempt's log. */
export class LogLines {
  /** The lines that are shown, oldest first. */
  lines: readonly Line[] = [];
  /** The next byte to read from. */
  offset = 0n;
  /** How many lines were dropped from the page. */
  dropped = 0;
  /** How many bytes the server does not have. */
  missing = 0n;
  /** Whether the server cut the log at its size limit. */
  truncated = false;

  private decoder = new TextDecoder();
  private open = "";
  private openSystem = false;
  private openTime = 0;
  private full: Line[] = [];
  private count = 0;

  /** Adds a chunk. Bytes that are known already are skipped; bytes that were never sent are counted as missing. */
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

  /** Ends the log: what is left is its last line. */
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
    while (this.open.length > MAX_LINE_LENGTH) {
      this.add(this.open.slice(0, MAX_LINE_LENGTH));
      this.open = this.open.slice(MAX_LINE_LENGTH);
    }
  }

  private add(text: string): void {
    this.count += 1;
    this.full.push({ number: this.count, text: plainText(text), system: this.openSystem, time: this.openTime });
    // In blocks, so that a long log does not move all its lines for each new one.
    if (this.full.length > MAX_LINES + MAX_LINES / 10) {
      const over = this.full.length - MAX_LINES;
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
      shown.push({ number: this.count + 1, text: plainText(this.open), system: this.openSystem, time: this.openTime });
    }
    this.lines = shown;
  }
}
