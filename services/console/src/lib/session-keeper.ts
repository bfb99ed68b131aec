// Keeps a session alive: its access token is in memory, and renewed before it expires and once more when the server
// refuses it. One tab renews at a time, because a refresh token works once. No DOM, no framework.
import { requestSession, requestSignOut, type AuthResult, type Fetch } from "./auth-client";

/** What the keeper needs from the browser. */
export interface BrowserApi {
  fetch: Fetch;
  /** Runs the work while no other tab runs any. */
  withLock: <T>(work: () => Promise<T>) => Promise<T>;
  /** Returns the time; milliseconds since 1970. */
  now: () => number;
  /** Runs the work so many milliseconds later. Returns what cancels it. */
  schedule: (milliseconds: number, work: () => void) => () => void;
}

/** Called when the token was replaced or is gone. */
export type SessionListener = (result: AuthResult) => void;

// How long before its expiry a token is renewed, or a quarter of its lifetime if that is less; milliseconds. A call
// needs it for a while.
const RENEWAL_LEAD = 60_000;
// When to try again after the server could not answer; milliseconds.
const RETRY_INTERVAL = 10_000;
// A token that is refused at this age or younger is not worth renewing: the next one would be refused too;
// milliseconds.
const MIN_TOKEN_AGE = 5_000;

interface AccessToken {
  value: string;
  received: number;
  /** From then on it is to be renewed. */
  renewal: number;
}

export class SessionKeeper {
  #token: AccessToken | undefined;
  #pendingRenewal: Promise<AuthResult> | undefined;
  #cancelTimer = (): void => undefined;

  constructor(
    private readonly browser: BrowserApi,
    private readonly onChange: SessionListener,
  ) {}

  /** Begins a session: by the cookie, or with the code of a sign-in link. */
  async signIn(code?: string): Promise<AuthResult> {
    const result = await this.browser.withLock(() =>
      code === undefined ? this.#request("/auth/refresh", {}) : this.#request("/auth/link", { code }),
    );
    // A link that no longer works does not end an existing session.
    if (code === undefined || result.kind === "signed-in") this.#apply(result);
    return result;
  }

  /** Returns the token for a call; renewed first if it expires soon. */
  async accessToken(): Promise<string | undefined> {
    const token = this.#token;
    if (token !== undefined && token.renewal <= this.browser.now()) await this.#renew(token);
    return this.#token?.value;
  }

  /** The server refused this token as unknown. Returns whether there is another one now. */
  async replaceRefused(refused: string): Promise<boolean> {
    const token = this.#token;
    if (token === undefined) return false;
    if (token.value !== refused) return true;
    if (this.browser.now() - token.received < MIN_TOKEN_AGE) {
      this.#apply({ kind: "signed-out", message: "" });
      return false;
    }
    await this.#renew(token);
    return this.#token !== undefined && this.#token.value !== refused;
  }

  /** Ends the session. Returns false if the server could not be reached: then the session goes on. */
  async signOut(): Promise<boolean> {
    const done = await this.browser.withLock(() => requestSignOut(this.browser.fetch));
    if (done) this.forget();
    return done;
  }

  /** Forgets the token, because another tab has ended the session. */
  forget(): void {
    this.#cancelTimer();
    this.#token = undefined;
  }

  async #renew(token: AccessToken): Promise<void> {
    this.#pendingRenewal ??= this.browser.withLock(() => this.#request("/auth/refresh", {}));
    const result = await this.#pendingRenewal;
    this.#pendingRenewal = undefined;
    // Another caller that waited for the same renewal has applied it already, or the session has ended meanwhile.
    if (this.#token !== token) return;
    if (result.kind === "unavailable") this.#scheduleRenewal(RETRY_INTERVAL);
    else this.#apply(result);
  }

  #request(path: "/auth/refresh" | "/auth/link", body: object): Promise<AuthResult> {
    return requestSession(this.browser.fetch, path, body, this.browser.now);
  }

  #apply(result: AuthResult): void {
    this.#cancelTimer();
    if (result.kind === "signed-in") {
      const now = this.browser.now();
      const renewal = result.expiry - Math.min(RENEWAL_LEAD, (result.expiry - now) / 4);
      this.#token = { value: result.token, received: now, renewal };
      this.#scheduleRenewal(Math.max(RETRY_INTERVAL, renewal - now));
    } else if (result.kind === "signed-out") {
      this.#token = undefined;
    }
    this.onChange(result);
  }

  #scheduleRenewal(milliseconds: number): void {
    this.#cancelTimer();
    this.#cancelTimer = this.browser.schedule(milliseconds, () => void this.accessToken());
  }
}
