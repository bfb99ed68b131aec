// A server stream that is reopened after a break: from the last cursor, with backoff. No DOM, no framework, no clock of
// its own.
import { Code, ConnectError } from "@connectrpc/connect";

/** Thrown by a healthy stream that must be opened again, with another token. */
export class StreamRestart extends Error {
  constructor() {
    super("the session was renewed");
  }
}

/** The state of a stream, as people see it. */
export type LiveState = "connecting" | "live" | "reconnecting" | "paused" | "ended";

/** What a stream needs from its owner. */
export interface LiveStreamOptions<T> {
  /** Opens the stream. Calls `opened` once the server has answered. */
  open: (signal: AbortSignal, opened: () => void) => AsyncIterable<T>;
  /** Called with each message. */
  onMessage: (message: T) => void;
  /**
   * Fetches what the stream continues from: before the first attempt, and when the server no longer knows the cursor.
   */
  fetch?: (signal: AbortSignal) => Promise<void>;
  /** Whether it was fetched before, and the cursor is still there: then the stream is opened without it. */
  resume?: boolean;
  /** Called when the server has ended the stream in order. Returns whether that was the end of everything. */
  isFinished?: () => Promise<boolean>;
  /** Called with each new state, and with what broke the stream. */
  onState: (state: LiveState, error?: ConnectError) => void;
  /** Called with an error that trying again does not help. */
  onFatal: (error: ConnectError) => void;
  /** Ends the stream for good. */
  signal: AbortSignal;
  /** Waits so long, or less if something wakes it. */
  sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** Returns a random number from 0 to 1. */
  random?: () => number;
  /** A stream that is silent for so long may be broken unnoticed, and is opened again; milliseconds. */
  idleTimeout?: number;
}

// How long a stream may be silent: long enough to cost nothing, short enough to notice a connection that vanished;
// milliseconds.
const IDLE_TIMEOUT = 60_000;
// After a stream that lived so long, the waits start again from the shortest; milliseconds.
const STABLE_AGE = 5_000;
// A stream that was open so long had been authorized; milliseconds.
const AUTHORIZED_AGE = 1_000;
// The first wait after a break, and the longest; milliseconds.
const MIN_BACKOFF = 250;
const MAX_BACKOFF = 10_000;

const FATAL = new Set([Code.Unauthenticated, Code.PermissionDenied, Code.NotFound, Code.InvalidArgument, Code.Unimplemented]);

/**
 * Returns the wait before retry number `tries` (from 0): it doubles up to ten seconds, and is random from half to
 * whole, so that pages do not return all at once.
 */
export function backoff(tries: number, random: () => number): number {
  const whole = Math.min(MAX_BACKOFF, MIN_BACKOFF * 2 ** Math.min(tries, 16));
  return whole / 2 + (whole / 2) * random();
}

/** Runs a stream until it is finished, fails for good, or is ended by its signal. Never rejects. */
export async function runLiveStream<T>(options: LiveStreamOptions<T>): Promise<void> {
  const random = options.random ?? Math.random;
  let tries = 0;
  let fetch = options.fetch !== undefined && options.resume !== true;
  options.onState("connecting");
  while (!options.signal.aborted) {
    let error: ConnectError | undefined;
    let openedAt: number | undefined;
    let silent = false;
    let received = false;
    const attempt = new AbortController();
    const end = (): void => attempt.abort();
    options.signal.addEventListener("abort", end);
    let idleTimer: ReturnType<typeof setTimeout> | undefined;
    const restartIdleTimer = (): void => {
      clearTimeout(idleTimer);
      idleTimer = setTimeout(() => {
        silent = true;
        end();
      }, options.idleTimeout ?? IDLE_TIMEOUT);
    };
    const opened = (): void => {
      restartIdleTimer();
      openedAt ??= Date.now();
      options.onState("live");
    };
    try {
      restartIdleTimer();
      if (fetch) {
        await options.fetch?.(attempt.signal);
        fetch = false;
        restartIdleTimer();
      }
      for await (const message of options.open(attempt.signal, opened)) {
        opened();
        received = true;
        options.onMessage(message);
      }
      if (options.isFinished !== undefined && (await options.isFinished())) {
        options.onState("ended");
        return;
      }
    } catch (cause) {
      error = ConnectError.from(cause);
      if (options.signal.aborted) return;
      if (cause instanceof StreamRestart || error.cause instanceof StreamRestart) continue;
      // Perhaps nothing is wrong: open it again without alarm, and let the answer decide.
      if (silent && openedAt !== undefined) continue;
      // The person's access has changed meanwhile: the list shows what is left, or fails.
      if (error.code === Code.PermissionDenied && (received || (openedAt !== undefined && Date.now() - openedAt >= AUTHORIZED_AGE))) {
        fetch = options.fetch !== undefined;
        continue;
      }
      if (FATAL.has(error.code)) {
        options.onState("ended", error);
        options.onFatal(error);
        return;
      }
      if (error.code === Code.OutOfRange && options.fetch !== undefined) fetch = true;
    } finally {
      clearTimeout(idleTimer);
      options.signal.removeEventListener("abort", end);
    }
    if (options.signal.aborted) return;
    if (openedAt !== undefined && Date.now() - openedAt >= STABLE_AGE) tries = 0;
    options.onState("reconnecting", error);
    await options.sleep(backoff(tries, random), options.signal);
    tries += 1;
  }
}
