// Who is signed in, in every tab. A person's access token is in memory alone, and renewed by the cookie. An API token that somebody pasted is in this
// tab's session storage, and shared with other open tabs of this origin only when they ask.
import type { Entry } from "./door";
import { Keeper } from "./keeper";

const KEY = "ck8s.token";
const LOCK = "ck8s.session";

/** How it stands. */
export type Phase =
  /** The server is being asked. */
  | "asking"
  /** The server cannot be asked now. */
  | "away"
  | "out"
  | "in";

type Message =
  | { kind: "ask" }
  | { kind: "given"; token: string }
  | { kind: "out" }
  | { kind: "in" };

function pasted(): string | undefined {
  try {
    return sessionStorage.getItem(KEY) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Runs it while no other tab does. Locks are for secure contexts only: without them two tabs may clash, and one has to sign in again. */
function alone<T>(work: () => Promise<T>): Promise<T> {
  if (!("locks" in navigator)) return work();
  return navigator.locks.request(LOCK, work) as Promise<T>;
}

class Session {
  /** How it stands. */
  phase = $state<Phase>("asking");
  /** Why nobody is signed in any more, or why it cannot be said; for people. */
  notice = $state("");
  #given = $state(pasted());
  #keeper: Keeper;
  #tabs = typeof BroadcastChannel === "undefined" ? undefined : new BroadcastChannel("ck8s.session");

  constructor() {
    this.#keeper = new Keeper(
      {
        fetch: (path, init) => fetch(path, init),
        alone,
        now: () => Date.now(),
        later: (milliseconds, work) => {
          const timer = setTimeout(work, milliseconds);
          return () => clearTimeout(timer);
        },
      },
      (entry) => this.#changed(entry),
    );
    this.#tabs?.addEventListener("message", (event: MessageEvent<Message>) => void this.#hear(event.data));
    if (this.#given !== undefined) this.phase = "in";
    else this.#tell({ kind: "ask" });
  }

  /** Finds the session that the browser has, if it has one. */
  async find(): Promise<void> {
    if (this.#given === undefined) await this.#keeper.enter();
  }

  /** Begins a session with a one-time link's code. */
  async redeem(code: string): Promise<Entry> {
    const entry = await this.#keeper.enter(code);
    if (entry.kind === "in") {
      this.#paste(undefined);
      this.#tell({ kind: "in" });
    }
    return entry;
  }

  /** Begins a session with an API token. */
  start(token: string): void {
    this.#paste(token);
    this.phase = "in";
    this.notice = "";
  }

  /** The token for a call. */
  async bearer(): Promise<string | undefined> {
    return this.#given ?? (await this.#keeper.bearer());
  }

  /** The server took this token for nobody's. True: there is another one now. */
  async renewed(refused: string): Promise<boolean> {
    if (this.#given === undefined) return this.#keeper.renewed(refused);
    if (this.#given === refused) this.#out("Your session has ended: its token has expired or was revoked. Sign in again.");
    return false;
  }

  /** Ends the session in every tab. */
  async end(): Promise<void> {
    // Who pasted a token may have a session besides.
    const left = await this.#keeper.leave();
    if (this.#given === undefined && !left) {
      this.notice = "The server could not be told, so you are still signed in. Try again.";
      return;
    }
    this.#out("You are signed out.");
    this.#tell({ kind: "out" });
  }

  #changed(entry: Entry): void {
    if (this.#given !== undefined) return;
    if (entry.kind === "in") {
      this.phase = "in";
      this.notice = "";
    } else if (entry.kind === "away") {
      // Who is in, or out, stays so.
      if (this.phase === "in" || this.phase === "out") return;
      this.phase = "away";
      this.notice = entry.message;
    } else if (this.phase === "in") {
      this.#out("Your session has ended. Sign in again.");
    } else {
      this.phase = "out";
    }
  }

  #tell(message: Message): void {
    this.#tabs?.postMessage(message);
  }

  async #hear(message: Message): Promise<void> {
    if (message.kind === "ask" && this.#given !== undefined) this.#tell({ kind: "given", token: this.#given });
    if (message.kind === "given" && this.phase !== "in" && this.notice === "") this.start(message.token);
    if (message.kind === "in" && this.phase === "out") await this.find();
    if (message.kind === "out" && this.phase !== "out") this.#out("You signed out in another tab.");
  }

  #out(notice: string): void {
    this.#keeper.forget();
    this.#paste(undefined);
    this.phase = "out";
    this.notice = notice;
  }

  #paste(token: string | undefined): void {
    this.#given = token;
    try {
      if (token === undefined) sessionStorage.removeItem(KEY);
      else sessionStorage.setItem(KEY, token);
    } catch {
      // Storage may be forbidden; the session then lasts as long as the page.
    }
  }
}

/** The one session of this tab. */
export const session = new Session();
