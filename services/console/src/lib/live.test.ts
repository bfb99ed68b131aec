import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Again, backoff, live, type LiveOptions, type LiveState } from "./live";

/** One try of the stream: its messages, then its error or its orderly end. */
interface Try {
  messages?: string[];
  error?: Error;
  hang?: boolean;
}

function setup(tries: Try[], more: Partial<LiveOptions<string>> = {}) {
  const states: LiveState[] = [];
  const messages: string[] = [];
  const waits: number[] = [];
  const fatal: ConnectError[] = [];
  const end = new AbortController();
  let opens = 0;
  const done = live<string>({
    open: (signal, opened) => {
      const now = tries[opens];
      opens += 1;
      return (async function* () {
        if (now === undefined) {
          end.abort();
          return;
        }
        opened();
        yield* now.messages ?? [];
        if (now.error !== undefined) throw now.error;
        if (now.hang === true) {
          await new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));
        }
      })();
    },
    message: (message) => messages.push(message),
    state: (state) => states.at(-1) === state || states.push(state),
    fatal: (error) => fatal.push(error),
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

test("goes on after a break, and says so", async () => {
  const it = setup([{ messages: ["a"], error: broken }, { messages: ["b"] }]);
  await it.done;
  expect(it.messages).toEqual(["a", "b"]);
  expect(it.states.slice(0, 4)).toEqual(["connecting", "live", "reconnecting", "live"]);
});

test("waits longer each time while nothing holds", async () => {
  const it = setup(Array.from({ length: 9 }, () => ({ error: broken })));
  await it.done;
  expect(it.waits).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000]);
});

test("starts from the shortest wait after a stream that lived", async () => {
  let first = true;
  const it = setup([{ error: broken }, { error: broken }, { messages: ["a"], error: broken }, { error: broken }], {
    message: () => {
      if (first) vi.setSystemTime(Date.now() + 6_000);
      first = false;
    },
  });
  await it.done;
  expect(it.waits).toEqual([250, 500, 250, 500]);
});

describe("what was fetched before", () => {
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

  test("is tried again until it succeeds, before the stream is opened", async () => {
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

test.each([Code.Unauthenticated, Code.PermissionDenied, Code.NotFound])("gives up on code %i", async (code) => {
  const it = setup([{ error: new ConnectError("no", code) }, { messages: ["never"] }]);
  await it.done;
  expect(it.opens()).toBe(1);
  expect(it.fatal.map((error) => error.code)).toEqual([code]);
  expect(it.states.at(-1)).toBe("ended");
});

test("an orderly end is the end only if its owner says so", async () => {
  let over = false;
  const it = setup([{ messages: ["a"] }, { messages: ["b"] }], {
    finished: async () => {
      const was = over;
      over = true;
      return was;
    },
  });
  await it.done;
  expect(it.messages).toEqual(["a", "b"]);
  expect(it.states.at(-1)).toBe("ended");
});

test("a stream that says nothing is opened anew, without alarm", async () => {
  const it = setup([{ hang: true }, { messages: ["a"], hang: true }], { idle: 1_000 });
  await vi.advanceTimersByTimeAsync(1_500);
  expect(it.messages).toEqual(["a"]);
  expect(it.states).toEqual(["connecting", "live"]);
  expect(it.waits).toEqual([]);
  it.end.abort();
  await it.done;
});

test("its signal ends it without another word", async () => {
  const it = setup([{ messages: ["a"], hang: true }]);
  await vi.advanceTimersByTimeAsync(0);
  const states = it.states.length;
  it.end.abort();
  await it.done;
  expect(it.states.length).toBe(states);
  expect(it.fatal).toEqual([]);
});

test("waits are spread from half to whole", () => {
  expect([backoff(0, () => 0), backoff(0, () => 1)]).toEqual([125, 250]);
  expect(backoff(1_000, () => 1)).toBe(10_000);
});

test("a stream whose token was renewed goes on at once, without alarm", async () => {
  const it = setup([{ messages: ["a"], error: new Again() }, { messages: ["b"], hang: true }]);
  await vi.waitFor(() => expect(it.messages).toEqual(["a", "b"]));
  expect(it.waits).toEqual([]);
  expect(it.states).toEqual(["connecting", "live"]);
  it.end.abort();
  await it.done;
});

test("a stream that was allowed and is no more asks what is left, and gives up when that is nothing", async () => {
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
