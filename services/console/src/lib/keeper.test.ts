import { beforeEach, describe, expect, test } from "vitest";
import { Keeper, type Needs } from "./keeper";
import type { Entry } from "./door";

const MINUTE = 60_000;

/** A server with one session in a cookie, as the edge's door is: each refresh spends the one before it. */
class Door {
  now = Date.parse("2026-01-01T00:00:00Z");
  /** The server's clock goes so much before ours; milliseconds. */
  ahead = 0;
  generation = 0;
  ended = false;
  broken = false;
  calls: string[] = [];
  inside = 0;
  timers: { at: number; work: () => void }[] = [];
  #queue: Promise<unknown> = Promise.resolve();

  needs: Needs = {
    fetch: async (path, init) => {
      this.inside += 1;
      if (this.inside > 1) throw new Error("two at once");
      this.calls.push(`${path} ${String(init.body)}`);
      await Promise.resolve();
      this.inside -= 1;
      if (this.broken) throw new TypeError("Failed to fetch");
      if (path === "/auth/sign-out") {
        this.ended = true;
        return new Response(null, { status: 204 });
      }
      if (this.ended) return Response.json({ code: "SESSION_ENDED", message: "your session has ended" }, { status: 401 });
      this.generation += 1;
      const server = this.now + this.ahead;
      const headers = { date: new Date(server).toUTCString() };
      return Response.json({ access_token: `t${this.generation}`, expire_time: new Date(server + 15 * MINUTE).toISOString() }, { headers });
    },
    alone: (work) => {
      const mine = this.#queue.then(work);
      this.#queue = mine.catch(() => undefined);
      return mine;
    },
    now: () => this.now,
    later: (milliseconds, work) => {
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

let door: Door;
let told: Entry[];
let keeper: Keeper;

beforeEach(() => {
  door = new Door();
  told = [];
  keeper = new Keeper(door.needs, (entry) => told.push(entry));
});

describe("a token", () => {
  test("is asked for by the cookie, or with a link's code", async () => {
    expect((await keeper.enter()).kind).toBe("in");
    expect(await keeper.bearer()).toBe("t1");
    await keeper.enter("a-code");
    expect(await keeper.bearer()).toBe("t2");
    expect(door.calls).toEqual(["/auth/refresh {}", '/auth/link {"code":"a-code"}']);
  });

  test("is renewed ahead of its end, by itself and before a call", async () => {
    await keeper.enter();
    await door.pass(13 * MINUTE);
    expect(await keeper.bearer()).toBe("t1");
    await door.pass(MINUTE);
    expect(told.at(-1)).toMatchObject({ kind: "in", token: "t2" });
    door.now += 14.5 * MINUTE;
    expect(await keeper.bearer()).toBe("t3");
  });

  test("lives as long by a clock that is wrong", async () => {
    door.ahead = -30 * MINUTE;
    await keeper.enter();
    expect(await keeper.bearer()).toBe("t1");
    door.ahead = 30 * MINUTE;
    door.now += 14.5 * MINUTE;
    expect(await keeper.bearer()).toBe("t2");
    door.now += 14.5 * MINUTE;
    expect(await keeper.bearer()).toBe("t3");
  });

  test("that is refused is renewed once, for all who were refused", async () => {
    await keeper.enter();
    door.now += 6_000;
    expect(await Promise.all([keeper.renewed("t1"), keeper.renewed("t1"), keeper.renewed("t1")])).toEqual([true, true, true]);
    expect(door.calls).toHaveLength(2);
    expect(await keeper.renewed("t1")).toBe(true);
    expect(door.calls).toHaveLength(2);
  });

  test("that is refused as soon as it is made ends the session", async () => {
    await keeper.enter();
    expect(await keeper.renewed("t1")).toBe(false);
    expect(await keeper.bearer()).toBeUndefined();
    expect(told.at(-1)?.kind).toBe("out");
    expect(door.calls).toHaveLength(1);
  });
});

describe("a session", () => {
  test("does not end because a link no longer works", async () => {
    await keeper.enter();
    door.ended = true;
    expect((await keeper.enter("spent")).kind).toBe("out");
    expect(await keeper.bearer()).toBe("t1");
    expect(told).toHaveLength(1);
  });

  test("that has ended says so", async () => {
    await keeper.enter();
    door.ended = true;
    door.now += 6_000;
    expect(await keeper.renewed("t1")).toBe(false);
    expect(told.at(-1)).toEqual({ kind: "out", message: "your session has ended" });
    expect(await keeper.renewed("t1")).toBe(false);
  });

  test("outlives a server that is away", async () => {
    await keeper.enter();
    door.broken = true;
    await door.pass(14 * MINUTE);
    expect(await keeper.bearer()).toBe("t1");
    door.broken = false;
    await door.pass(10_000);
    expect(await keeper.bearer()).toBe("t2");
  });

  test("that nobody has begun is neither renewed nor refused", async () => {
    expect(await keeper.bearer()).toBeUndefined();
    expect(await keeper.renewed("t1")).toBe(false);
    door.broken = true;
    expect(await keeper.enter()).toEqual({ kind: "away", message: "The server cannot be reached." });
    expect(await keeper.bearer()).toBeUndefined();
  });

  test("ends at the server, or goes on", async () => {
    await keeper.enter();
    door.broken = true;
    expect(await keeper.leave()).toBe(false);
    expect(await keeper.bearer()).toBe("t1");
    door.broken = false;
    expect(await keeper.leave()).toBe(true);
    expect(await keeper.bearer()).toBeUndefined();
    await door.pass(60 * MINUTE);
    expect(door.calls.at(-1)).toBe("/auth/sign-out {}");
  });

  test("is renewed by one tab at a time", async () => {
    const other = new Keeper(door.needs, () => undefined);
    await Promise.all([keeper.enter(), other.enter()]);
    door.now += 14.5 * MINUTE;
    expect(new Set(await Promise.all([keeper.bearer(), other.bearer()]))).toEqual(new Set(["t3", "t4"]));
  });
});
