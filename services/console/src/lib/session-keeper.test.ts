import { beforeEach, describe, expect, test } from "vitest";
import type { AuthResult } from "./auth-client";
import { SessionKeeper, type BrowserApi } from "./session-keeper";

const MINUTE = 60_000;

/**
 * A browser, and a server with one session in a cookie. As at the edge, each refresh spends the refresh token before
 * it.
 */
class FakeServer {
  now = Date.parse("2026-01-01T00:00:00Z");
  /** How far the server's clock is ahead of ours; milliseconds. */
  clockLead = 0;
  generation = 0;
  ended = false;
  unreachable = false;
  calls: string[] = [];
  concurrent = 0;
  timers: { at: number; work: () => void }[] = [];
  #queue: Promise<unknown> = Promise.resolve();

  browser: BrowserApi = {
    fetch: async (path, init) => {
      this.concurrent += 1;
      if (this.concurrent > 1) throw new Error("two requests at once");
      this.calls.push(`${path} ${String(init.body)}`);
      await Promise.resolve();
      this.concurrent -= 1;
      if (this.unreachable) throw new TypeError("Failed to fetch");
      if (path === "/auth/sign-out") {
        this.ended = true;
        return new Response(null, { status: 204 });
      }
      if (this.ended) return Response.json({ code: "SESSION_ENDED", message: "your session has ended" }, { status: 401 });
      this.generation += 1;
      const serverTime = this.now + this.clockLead;
      const headers = { date: new Date(serverTime).toUTCString() };
      return Response.json({ access_token: `t${this.generation}`, expire_time: new Date(serverTime + 15 * MINUTE).toISOString() }, { headers });
    },
    withLock: (work) => {
      const queued = this.#queue.then(work);
      this.#queue = queued.catch(() => undefined);
      return queued;
    },
    now: () => this.now,
    schedule: (milliseconds, work) => {
      const timer = { at: this.now + milliseconds, work };
      this.timers.push(timer);
      return () => {
        this.timers = this.timers.filter((other) => other !== timer);
      };
    },
  };

  async pass(milliseconds: number): Promise<void> {
    this.now += milliseconds;
    const due = this.timers.filter((timer) => timer.at <= this.now);
    this.timers = this.timers.filter((timer) => timer.at > this.now);
    for (const timer of due) timer.work();
    await new Promise((done) => setTimeout(done, 0));
  }
}

let server: FakeServer;
let results: AuthResult[];
let keeper: SessionKeeper;

beforeEach(() => {
  server = new FakeServer();
  results = [];
  keeper = new SessionKeeper(server.browser, (result) => results.push(result));
});

describe("a token", () => {
  test("is requested by the cookie, or with a link's code", async () => {
    expect((await keeper.signIn()).kind).toBe("signed-in");
    expect(await keeper.accessToken()).toBe("t1");
    await keeper.signIn("a-code");
    expect(await keeper.accessToken()).toBe("t2");
    expect(server.calls).toEqual(["/auth/refresh {}", '/auth/link {"code":"a-code"}']);
  });

  test("is renewed before it expires, by a timer and before a call", async () => {
    await keeper.signIn();
    await server.pass(13 * MINUTE);
    expect(await keeper.accessToken()).toBe("t1");
    await server.pass(MINUTE);
    expect(results.at(-1)).toMatchObject({ kind: "signed-in", token: "t2" });
    server.now += 14.5 * MINUTE;
    expect(await keeper.accessToken()).toBe("t3");
  });

  test("lives as long if a clock is wrong", async () => {
    server.clockLead = -30 * MINUTE;
    await keeper.signIn();
    expect(await keeper.accessToken()).toBe("t1");
    server.clockLead = 30 * MINUTE;
    server.now += 14.5 * MINUTE;
    expect(await keeper.accessToken()).toBe("t2");
    server.now += 14.5 * MINUTE;
    expect(await keeper.accessToken()).toBe("t3");
  });

  test("that was refused is renewed once for all refused calls", async () => {
    await keeper.signIn();
    server.now += 6_000;
    expect(await Promise.all([keeper.replaceRefused("t1"), keeper.replaceRefused("t1"), keeper.replaceRefused("t1")])).toEqual([true, true, true]);
    expect(server.calls).toHaveLength(2);
    expect(await keeper.replaceRefused("t1")).toBe(true);
    expect(server.calls).toHaveLength(2);
  });

  test("that is refused as soon as it was issued ends the session", async () => {
    await keeper.signIn();
    expect(await keeper.replaceRefused("t1")).toBe(false);
    expect(await keeper.accessToken()).toBeUndefined();
    expect(results.at(-1)?.kind).toBe("signed-out");
    expect(server.calls).toHaveLength(1);
  });
});

describe("a session", () => {
  test("does not end because a link no longer works", async () => {
    await keeper.signIn();
    server.ended = true;
    expect((await keeper.signIn("spent")).kind).toBe("signed-out");
    expect(await keeper.accessToken()).toBe("t1");
    expect(results).toHaveLength(1);
  });

  test("that has ended at the server is reported as signed out", async () => {
    await keeper.signIn();
    server.ended = true;
    server.now += 6_000;
    expect(await keeper.replaceRefused("t1")).toBe(false);
    expect(results.at(-1)).toEqual({ kind: "signed-out", message: "your session has ended" });
    expect(await keeper.replaceRefused("t1")).toBe(false);
  });

  test("survives a server that cannot be reached", async () => {
    await keeper.signIn();
    server.unreachable = true;
    await server.pass(14 * MINUTE);
    expect(await keeper.accessToken()).toBe("t1");
    server.unreachable = false;
    await server.pass(10_000);
    expect(await keeper.accessToken()).toBe("t2");
  });

  test("that was never begun is neither renewed nor refused", async () => {
    expect(await keeper.accessToken()).toBeUndefined();
    expect(await keeper.replaceRefused("t1")).toBe(false);
    server.unreachable = true;
    expect(await keeper.signIn()).toEqual({ kind: "unavailable", message: "The server cannot be reached." });
    expect(await keeper.accessToken()).toBeUndefined();
  });

  test("ends at the server, or goes on if the server cannot be reached", async () => {
    await keeper.signIn();
    server.unreachable = true;
    expect(await keeper.signOut()).toBe(false);
    expect(await keeper.accessToken()).toBe("t1");
    server.unreachable = false;
    expect(await keeper.signOut()).toBe(true);
    expect(await keeper.accessToken()).toBeUndefined();
    await server.pass(60 * MINUTE);
    expect(server.calls.at(-1)).toBe("/auth/sign-out {}");
  });

  test("is renewed by one tab at a time", async () => {
    const other = new SessionKeeper(server.browser, () => undefined);
    await Promise.all([keeper.signIn(), other.signIn()]);
    server.now += 14.5 * MINUTE;
    expect(new Set(await Promise.all([keeper.accessToken(), other.accessToken()]))).toEqual(new Set(["t3", "t4"]));
  });
});
