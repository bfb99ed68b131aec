// The session of this tab, and its agreement with the other tabs. A person's access token is in memory alone, and
// renewed by the cookie. An API token that somebody pasted is in this tab's session storage; other open tabs of this
// origin get it only when they ask.
import type { AuthResult } from "./auth-client";
import { SessionKeeper } from "./session-keeper";

const STORAGE_KEY = "ck8s.token";
const LOCK_NAME = "ck8s.session";
const CHANNEL_NAME = "ck8s.session";

/** The state of the session. */
export type Phase =
  /** The server is being asked. */
  | "loading"
  /** The server cannot answer now. */
  | "unavailable"
  | "signed-out"
  | "signed-in";

/** What tabs send each other. */
type TabMessage =
  | { kind: "token-request" }
  | { kind: "token"; token: string }
  | { kind: "signed-out" }
  | { kind: "signed-in" };

function storedToken(): string | undefined {
  try {
    return sessionStorage.getItem(STORAGE_KEY) ?? undefined;
  } catch {
    return undefined;
  }
}

/**
 * Runs the work while no other tab runs any. Locks exist in secure contexts only: without them two tabs may renew at
 * once, and get the same token.
 */
function withLock<T>(work: () => Promise<T>): Promise<T> {
  if (!("locks" in navigator)) return work();
  return navigator.locks.request(LOCK_NAME, work) as Promise<T>;
}

class Session {
  /** The state. */
  phase = $state<Phase>("loading");
  /** Why nobody is signed in any more, or why that is unknown; for people. */
  notice = $state("");
  #apiToken = $state(storedToken());
  #keeper: SessionKeeper;
  #tabs = typeof BroadcastChannel === "undefined" ? undefined : new BroadcastChannel(CHANNEL_NAME);

  constructor() {
    this.#keeper = new SessionKeeper(
      {
        fetch: (path, init) => fetch(path, init),
        withLock,
        now: () => Date.now(),
        schedule: (milliseconds, work) => {
          const timer = setTimeout(work, milliseconds);
          return () => clearTimeout(timer);
        },
      },
      (result) => this.#onChange(result),
    );
    this.#tabs?.addEventListener("message", (event: MessageEvent<TabMessage>) => void this.#onTabMessage(event.data));
    if (this.#apiToken !== undefined) this.phase = "signed-in";
    else this.#broadcast({ kind: "token-request" });
  }

  /** Restores the session that the browser has, if it has one. */
  async restore(): Promise<void> {
    if (this.#apiToken === undefined) await this.#keeper.signIn();
  }

  /** Begins a session with the code of a sign-in link. */
  async redeem(code: string): Promise<AuthResult> {
    const result = await this.#keeper.signIn(code);
    if (result.kind === "signed-in") {
      this.#storeToken(undefined);
      this.#broadcast({ kind: "signed-in" });
    }
    return result;
  }

  /** Begins a session with an API token. */
  signInWithToken(token: string): void {
    this.#storeToken(token);
    this.phase = "signed-in";
    this.notice = "";
  }

  /** Returns the token for a call. */
  async accessToken(): Promise<string | undefined> {
    return this.#apiToken ?? (await this.#keeper.accessToken());
  }

  /** The server refused this token as unknown. Returns whether there is another one now. */
  async replaceRefused(refused: string): Promise<boolean> {
    if (this.#apiToken === undefined) return this.#keeper.replaceRefused(refused);
    if (this.#apiToken === refused) this.#end("Your session has ended: its token has expired or was revoked. Sign in again.");
    return false;
  }

  /** Ends the session in every tab. */
  async signOut(): Promise<void> {
    // Somebody who pasted a token may have a session as well.
    const done = await this.#keeper.signOut();
    if (this.#apiToken === undefined && !done) {
      this.notice = "The server cannot be reached, so you are still signed in. Try again.";
      return;
    }
    this.#end("You are signed out.");
    this.#broadcast({ kind: "signed-out" });
  }

  #onChange(result: AuthResult): void {
    if (this.#apiToken !== undefined) return;
    if (result.kind === "signed-in") {
      this.phase = "signed-in";
      this.notice = "";
    } else if (result.kind === "unavailable") {
      // This changes nothing for somebody who is signed in or out.
      if (this.phase === "signed-in" || this.phase === "signed-out") return;
      this.phase = "unavailable";
      this.notice = result.message;
    } else if (this.phase === "signed-in") {
      this.#end("Your session has ended. Sign in again.");
    } else {
      this.phase = "signed-out";
    }
  }

  #broadcast(message: TabMessage): void {
    this.#tabs?.postMessage(message);
  }

  async #onTabMessage(message: TabMessage): Promise<void> {
    if (message.kind === "token-request" && this.#apiToken !== undefined) this.#broadcast({ kind: "token", token: this.#apiToken });
    if (message.kind === "token" && this.phase !== "signed-in" && this.notice === "") this.signInWithToken(message.token);
    if (message.kind === "signed-in" && this.phase === "signed-out") await this.restore();
    if (message.kind === "signed-out" && this.phase !== "signed-out") this.#end("You signed out in another tab.");
  }

  #end(notice: string): void {
    this.#keeper.forget();
    this.#storeToken(undefined);
    this.phase = "signed-out";
    this.notice = notice;
  }

  #storeToken(token: string | undefined): void {
    this.#apiToken = token;
    try {
      if (token === undefined) sessionStorage.removeItem(STORAGE_KEY);
      else sessionStorage.setItem(STORAGE_KEY, token);
    } catch {
      // Storage may be forbidden; then the session lasts as long as the page.
    }
  }
}

/** The session of this tab. */
export const session = new Session();
