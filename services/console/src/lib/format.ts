// How times, ids and the server's messages are shown. Pure.
import { timestampMs, type Timestamp } from "@bufbuild/protobuf/wkt";

/**
 * Returns a message of the server with a capital letter, as a sentence begins. A single word may be a name, and stays
 * as it is.
 */
export function sentence(message: string): string {
  return /^[a-z]+[,:]?\s/.test(message) ? message.charAt(0).toUpperCase() + message.slice(1) : message;
}

/** Returns an address, if it is one that a browser may open. */
export function safeUrl(url: string): string | undefined {
  return /^https?:\/\//i.test(url) ? url : undefined;
}

/** Returns the end of an id, which differs between ids of the same day. */
export function shortId(id: string): string {
  return id.length > 12 ? id.slice(-12) : id;
}

/** Returns a time as milliseconds since 1970; undefined for an unset time. */
export function toMilliseconds(time: Timestamp | undefined): number | undefined {
  return time === undefined ? undefined : timestampMs(time);
}

/** Formats a duration in at most two units: `0 s`, `42 s`, `3 min 5 s`, `2 h 10 min`, `4 d 1 h`. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const units: [number, string][] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3_600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ];
  const first = units.findIndex(([count]) => count > 0);
  if (first < 0) return "0 s";
  return units
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(" ");
}

/** Formats a short duration with its milliseconds: `120 ms`, `1.4 s`, then as `formatDuration`. */
export function formatShortDuration(milliseconds: number): string {
  if (milliseconds < 0) return "0 ms";
  if (milliseconds < 1_000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 10_000) return `${(milliseconds / 1_000).toFixed(1)} s`;
  return formatDuration(milliseconds);
}
