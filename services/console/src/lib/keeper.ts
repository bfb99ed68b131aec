// Keeps a session going: its access token in memory, renewed before it ends and once more when the server refuses it. One tab renews at a time,
// because a refresh token works once. No DOM, no framework.
import { knock, leave, type Entry, type Fetch } from "./door";

/** What it needs from the browser. */
export interface Needs {
  fetch: Fetch;
  /** Runs it while no other tab does. */
  alone: <T>(work: () => Promise<T>) => Promise<T>;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Calls it so many milliseconds later, unless it is called off. */
  later: (milliseconds: number, work: () => void) => () => void;
}

/** What it tells its owner: the token is another one, or gone. */
export type Changed = (entry: Entry) => void;

// So long before its end a token is renewed, or a quarter of its life; milliseconds. A call needs it for a while.
const AHEAD = 60_000;
// After an answer that said nothing, the next try; milliseconds.
const RETRY = 10_000;
// A token that is refused so soon after it was made will not get better by another one; milliseconds.
const YOUNG = 5_000;

interface Held {
  token: string;
  since: number;
  /** From then on it is renewed. */
  due: number;
}

export class Keeper {
  #held: Held | undefined;
  #renewing: Promise<Entry> | undefined;
  #callOff = (): void => undefined;

  constructor(
    private readonly needs: Needs,
    private readonly changed: Changed,
  ) {}

  /** Begins: by the cookie, or with a one-time link's code. */
  async enter(code?: string): Promise<Entry> {
    const entry = await this.needs.alone(() =>
      code === undefined ? this.#knock("/auth/refresh", {}) : this.#knock("/auth/link", { code }),
    );
    // A link that no longer works ends no session that there is.
    if (code === undefined || entry.kind === "in") this.#take(entry);
    return entry;
  }

  /** The token for a call; renewed first if it ends soon. */
  async bearer(): Promise<string | undefined> {
    const held = this.#held;
    if (held !== undefined && held.due <= this.needs.now()) await this.#renew(held);
    return this.#held?.token;
  }

  /** The server took this token for nobody's. True: there is another one now. */
  async renewed(refused: string): Promise<boolean> {
    const held = this.#held;
    if (held === undefined) return false;
    if (held.token !== refused) return true;
    if (this.needs.now() - held.since < YOUNG) {
      this.#take({ kind: "out", message: "" });
      return false;
    }
    await this.#renew(held);
    return this.#held !== undefined && this.#held.token !== refused;
  }

  /** Ends the session. False: the server could not be told, and the session goes on. */
  async leave(): Promise<boolean> {
    const left = await this.needs.alone(() => leave(this.needs.fetch));
    if (left) this.forget();
    return left;
  }

  /** Forgets the token: another tab has ended the session. */
  forget(): void {
    this.#callOff();
    this.#held = undefined;
  }

  async #renew(held: Held): Promise<void> {
    this.#renewing ??= this.needs.alone(() => this.#knock("/auth/refresh", {}));
    const entry = await this.#renewing;
    this.#renewing = undefined;
    // Whoever waited for the same answer has taken it already, or the session has ended meanwhile.
    if (this.#held !== held) return;
    if (entry.kind === "away") this.#again(RETRY);
    else this.#take(entry);
  }

  #knock(path: "/auth/refresh" | "/auth/link", body: object): Promise<Entry> {
    return knock(this.needs.fetch, path, body, this.needs.now);
  }

  #take(entry: Entry): void {
    this.#callOff();
    if (entry.kind === "in") {
      const now = this.needs.now();
      const due = entry.until - Math.min(AHEAD, (entry.until - now) / 4);
      this.#held = { token: entry.token, since: now, due };
      this.#again(Math.max(RETRY, due - now));
    } else if (entry.kind === "out") {
      this.#held = undefined;
    }
    this.changed(entry);
  }

  #again(milliseconds: number): void {
    this.#callOff();
    this.#callOff = this.needs.later(milliseconds, () => void this.bearer());
  }
}
