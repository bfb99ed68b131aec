// A server stream that goes on after a break: from the last cursor, with backoff. No DOM, no framework, no clock of its own.
import { Code, ConnectError } from "@connectrpc/connect";

/** What a stream throws that is well and must be opened again: with another token. */
export class Again extends Error {
  constructor() {
    super("the session was renewed");
  }
}

/** How a stream stands, for people. */
export type LiveState = "connecting" | "live" | "reconnecting" | "paused" | "ended";

/** What a stream needs from its owner. */
export interface LiveOptions<T> {
  /** Opens the stream. Calls `opened` once the server has answered. */
  open: (signal: AbortSignal, opened: () => void) => AsyncIterable<T>;
  /** Takes a message. */
  message: (message: T) => void;
  /** Fetches what the stream goes on from: before the first try, and when the server no longer knows the cursor. */
  fetch?: (signal: AbortSignal) => Promise<void>;
  /** It was fetched before, and the cursor is still there: go on without. */
  resume?: boolean;
  /** The server ended the stream in order: is there nothing more to come? */
  finished?: () => Promise<boolean>;
  /** Told each change of state, and what broke the stream. */
  state: (state: LiveState, error?: ConnectError) => void;
  /** An error that no repetition mends. */
  fatal: (error: ConnectError) => void;
  /** Ends it all. */
  signal: AbortSignal;
  /** Waits so long, less if woken. */
  sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** 0 to 1. */
  random?: () => number;
  /** A stream that says nothing for so long may be broken without a word: it is opened anew; milliseconds. */
  idle?: number;
}

// Long enough to cost nothing, short enough that a connection that vanished is noticed.
const IDLE = 60_000;
// A stream that lived so long was a good one: after its end the waits start from the shortest; milliseconds.
const GOOD = 5_000;
// A stream that was open so long was allowed; milliseconds.
const SEEN = 1_000;
// First wait after a break, and the longest one; milliseconds.
const FIRST = 250;
const LONGEST = 10_000;

const FATAL = new Set([Code.Unauthenticated, Code.PermissionDenied, Code.NotFound, Code.InvalidArgument, Code.Unimplemented]);

/** The wait before try number `tries` (from 0): doubles up to ten seconds, spread from half to whole so that many pages do not come back at once. */
export function backoff(tries: number, random: () => number): number {
  const whole = Math.min(LONGEST, FIRST * 2 ** Math.min(tries, 16));
  return whole / 2 + (whole / 2) * random();
}

/** Runs the stream until it is finished, fatally broken or ended by its signal. Never rejects. */
export async function live<T>(options: LiveOptions<T>): Promise<void> {
  const random = options.random ?? Math.random;
  let tries = 0;
  let fetch = options.fetch !== undefined && options.resume !== true;
  options.state("connecting");
  while (!options.signal.aborted) {
    let error: ConnectError | undefined;
    let since: number | undefined;
    let silent = false;
    let told = false;
    const attempt = new AbortController();
    const end = (): void => attempt.abort();
    options.signal.addEventListener("abort", end);
    let idle: ReturnType<typeof setTimeout> | undefined;
    const heard = (): void => {
      clearTimeout(idle);
      idle = setTimeout(() => {
        silent = true;
        end();
      }, options.idle ?? IDLE);
    };
    const opened = (): void => {
      heard();
      since ??= Date.now();
      options.state("live");
    };
    try {
      heard();
      if (fetch) {
        await options.fetch?.(attempt.signal);
        fetch = false;
        heard();
      }
      for await (const message of options.open(attempt.signal, opened)) {
        opened();
        told = true;
        options.message(message);
      }
      if (options.finished !== undefined && (await options.finished())) {
        options.state("ended");
        return;
      }
    } catch (cause) {
      error = ConnectError.from(cause);
      if (options.signal.aborted) return;
      if (cause instanceof Again || error.cause instanceof Again) continue;
      // Nothing may have happened: ask again without alarm, and let the answer tell.
      if (silent && since !== undefined) continue;
      // What one may see has changed in the middle: the list tells what is left, or that it is nothing.
      if (error.code === Code.PermissionDenied && (told || (since !== undefined && Date.now() - since >= SEEN))) {
        fetch = options.fetch !== undefined;
        continue;
      }
      if (FATAL.has(error.code)) {
        options.state("ended", error);
        options.fatal(error);
        return;
      }
      if (error.code === Code.OutOfRange && options.fetch !== undefined) fetch = true;
    } finally {
      clearTimeout(idle);
      options.signal.removeEventListener("abort", end);
    }
    if (options.signal.aborted) return;
    if (since !== undefined && Date.now() - since >= GOOD) tries = 0;
    options.state("reconnecting", error);
    await options.sleep(backoff(tries, random), options.signal);
    tries += 1;
  }
}
