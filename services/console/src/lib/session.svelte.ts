// Who is signed in: the token, in memory and in this tab's session storage, shared with other open tabs of this origin only when they ask.

const KEY = "ck8s.token";

/** Where the token came from; one that a sign-in link made is ended when its owner signs out. */
export type Origin = "link" | "given";

interface Stored {
  token: string;
  origin: Origin;
}

type Message = { kind: "ask" } | { kind: "answer"; stored: Stored } | { kind: "out" };

function read(): Stored | undefined {
  try {
    const value: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
    if (typeof value !== "object" || value === null || !("token" in value) || typeof value.token !== "string") return undefined;
    return { token: value.token, origin: "origin" in value && value.origin === "link" ? "link" : "given" };
  } catch {
    return undefined;
  }
}

class Session {
  #stored = $state<Stored | undefined>(read());
  /** Why there is no session any more, for the sign-in page. */
  notice = $state("");
  #tabs = typeof BroadcastChannel === "undefined" ? undefined : new BroadcastChannel("ck8s.session");

  constructor() {
    this.#tabs?.addEventListener("message", (event: MessageEvent<Message>) => this.#hear(event.data));
    // A tab opened from this console finds the session in the tab that it came from.
    if (this.#stored === undefined) this.#tell({ kind: "ask" });
  }

  get token(): string | undefined {
    return this.#stored?.token;
  }

  get origin(): Origin | undefined {
    return this.#stored?.origin;
  }

  /** Begins a session. */
  start(token: string, origin: Origin): void {
    this.#keep({ token, origin });
    this.notice = "";
  }

  /** The server no longer takes the token. */
  expire(): void {
    this.#drop("Your session has ended: its token has expired or was revoked. Sign in again.");
  }

  /** Ends the session in every tab. */
  end(): void {
    this.#drop("You are signed out.");
    this.#tell({ kind: "out" });
  }

  #tell(message: Message): void {
    this.#tabs?.postMessage(message);
  }

  #hear(message: Message): void {
    if (message.kind === "ask" && this.#stored !== undefined) this.#tell({ kind: "answer", stored: $state.snapshot(this.#stored) });
    if (message.kind === "answer" && this.#stored === undefined && this.notice === "") this.#keep(message.stored);
    if (message.kind === "out" && this.#stored !== undefined) this.#drop("You signed out in another tab.");
  }

  #keep(stored: Stored): void {
    this.#stored = stored;
    try {
      sessionStorage.setItem(KEY, JSON.stringify(stored));
    } catch {
      // Storage may be forbidden; the session then lasts as long as the page.
    }
  }

  #drop(notice: string): void {
    this.#stored = undefined;
    this.notice = notice;
    try {
      sessionStorage.removeItem(KEY);
    } catch {
      // See above.
    }
  }
}

/** The one session of this tab. */
export const session = new Session();
