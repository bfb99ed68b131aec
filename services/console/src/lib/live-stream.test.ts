import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { backoff, runLiveStream, StreamRestart, type LiveState, type LiveStreamOptions } from "./live-stream";

/** One attempt to run the stream: its messages, then its error or its orderly end. */
interface Attempt {
  messages?: string[];
  error?: Error;
  hang?: boolean;
}

function setup(attempts: Attempt[], more: Partial<LiveStreamOptions<string>> = {}) {
  const states: LiveState[] = [];
  const messages: string[] = [];
  const waits: number[] = [];
  const fatal: ConnectError[] = [];
  const end = new AbortController();
  let opens = 0;
  const done = runLiveStream<string>({
    open: (signal, opened) => {
      const attempt = attempts[opens];
      opens += 1;
      return (async function* () {
        if (attempt === undefined) {
          end.abort();
          return;
        }
        opened();
        yield* attempt.messages ?? [];
        if (attempt.error !== undefined) throw attempt.error;
        if (attempt.hang === true) {
          await new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));
        }
      })();
    },
    onMessage: (message) => messages.push(message),
    onState: (state) => states.at(-1) === state || states.push(state),
    onFatal: (error) => fatal.push(error),
    signal: end.signal,
    sleep: async (milliseconds) => void waits.push(milliseconds),
    random: () => 1,
    ...more,
  });
  return { done, states, messages, waits, fatal, end, opens: () => opens };
}

const broken = new ConnectError("gone", Code.Unavailable);

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test("a stream continues after a break, and reports the break", async () => {
  const it = setup([{ messages: ["a"], error: broken }, { messages: ["b"] }]);
  await it.done;
  expect(it.messages).toEqual(["a", "b"]);
  expect(it.states.slice(0, 4)).toEqual(["connecting", "live", "reconnecting", "live"]);
});

test("the waits grow while no stream lasts", async () => {
  const it = setup(Array.from({ length: 9 }, () => ({ error: broken })));
  await it.done;
  expect(it.waits).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000]);
});

test("the waits start from the shortest again after a stream that lasted", async () => {
  let first = true;
  const it = setup([{ error: broken }, { error: broken }, { messages: ["a"], error: broken }, { error: broken }], {
    onMessage: () => {
      if (first) vi.setSystemTime(Date.now() + 6_000);
      first = false;
    },
  });
  await it.done;
  expect(it.waits).toEqual([250, 500, 250, 500]);
});

describe("the list that a stream continues from", () => {
  test("is fetched first, and again only when the cursor is too old", async () => {
    const fetch = vi.fn(async () => {});
    const it = setup([{ error: broken }, { error: new ConnectError("old", Code.OutOfRange) }, { messages: ["a"] }], { fetch });
    await it.done;
    expect(fetch).toHaveBeenCalledTimes(2);
    expect(it.messages).toEqual(["a"]);
  });

  test("is not fetched on a resume", async () => {
    const fetch = vi.fn(async () => {});
    await setup([{ messages: ["a"] }], { fetch, resume: true }).done;
    expect(fetch).not.toHaveBeenCalled();
  });

  test("is fetched until that succeeds, before the stream is opened", async () => {
    let fails = 2;
    const it = setup([{ messages: ["a"] }], {
      fetch: async () => {
        fails -= 1;
        if (fails >= 0) throw broken;
      },
    });
    await it.done;
    expect(it.waits.slice(0, 2)).toEqual([250, 500]);
    expect(it.messages).toEqual(["a"]);
  });
});

test.each([Code.Unauthenticated, Code.PermissionDenied, Code.NotFound])("a stream gives up on code %i", async (code) => {
  const it = setup([{ error: new ConnectError("no", code) }, { messages: ["never"] }]);
  await it.done;
  expect(it.opens()).toBe(1);
  expect(it.fatal.map((error) => error.code)).toEqual([code]);
  expect(it.states.at(-1)).toBe("ended");
});

test("an orderly end is the end only if its owner says so", async () => {
  let over = false;
  const it = setup([{ messages: ["a"] }, { messages: ["b"] }], {
    isFinished: async () => {
      const was = over;
      over = true;
      return was;
    },
  });
  await it.done;
  expect(it.messages).toEqual(["a", "b"]);
  expect(it.states.at(-1)).toBe("ended");
});

test("a silent stream is opened again without alarm", async () => {
  const it = setup([{ hang: true }, { messages: ["a"], hang: true }], { idleTimeout: 1_000 });
  await vi.advanceTimersByTimeAsync(1_500);
  expect(it.messages).toEqual(["a"]);
  expect(it.states).toEqual(["connecting", "live"]);
  expect(it.waits).toEqual([]);
  it.end.abort();
  await it.done;
});

test("the signal ends a stream without another call", async () => {
  const it = setup([{ messages: ["a"], hang: true }]);
  await vi.advanceTimersByTimeAsync(0);
  const states = it.states.length;
  it.end.abort();
  await it.done;
  expect(it.states.length).toBe(states);
  expect(it.fatal).toEqual([]);
});

test("waits are random from half to whole", () => {
  expect([backoff(0, () => 0), backoff(0, () => 1)]).toEqual([125, 250]);
  expect(backoff(1_000, () => 1)).toBe(10_000);
});

test("a stream whose token was renewed continues at once, without alarm", async () => {
  const it = setup([{ messages: ["a"], error: new StreamRestart() }, { messages: ["b"], hang: true }]);
  await vi.waitFor(() => expect(it.messages).toEqual(["a", "b"]));
  expect(it.waits).toEqual([]);
  expect(it.states).toEqual(["connecting", "live"]);
  it.end.abort();
  await it.done;
});

test("a stream that is no longer authorized fetches the list, and gives up if nothing is left", async () => {
  const denied = new ConnectError("your access changed", Code.PermissionDenied);
  let fetches = 0;
  const it = setup([{ messages: ["a"], error: denied }, { error: denied }], {
    fetch: async () => {
      fetches += 1;
    },
  });
  await it.done;
  expect(fetches).toBe(2);
  expect(it.fatal.map((error) => error.code)).toEqual([Code.PermissionDenied]);
});
