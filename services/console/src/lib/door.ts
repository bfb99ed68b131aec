// The server's door: the requests that begin, renew and end a session. The refresh token is in a cookie that no script can read. No DOM, no framework.

/** What the door answers. */
export type Entry =
  /** A session: its access token, and when that ends by our own clock; milliseconds since 1970. */
  | { kind: "in"; token: string; until: number }
  /** Nobody is signed in, or what was shown is good no more; why, for people. */
  | { kind: "out"; message: string }
  /** It cannot be said now; why, for people. */
  | { kind: "away"; message: string };

/** What there is to ask for. */
export type Path = "/auth/refresh" | "/auth/link" | "/auth/sign-out";

/** As in a browser. */
export type Fetch = (path: string, init: RequestInit) => Promise<Response>;

// A person waits for it; milliseconds.
const DEADLINE = 15_000;

/** Asks for a session: by the cookie, or with a one-time link's code. */
export async function knock(fetch: Fetch, path: Path, body: object, now: () => number): Promise<Entry> {
  let response: Response;
  let said: unknown;
  try {
    response = await post(fetch, path, body);
    said = await response.json().catch(() => undefined);
  } catch {
    return { kind: "away", message: "The server cannot be reached." };
  }
  if (response.ok) {
    const token = text(said, "access_token");
    const ends = Date.parse(text(said, "expire_time"));
    if (token === "" || Number.isNaN(ends)) return { kind: "away", message: "The server's answer makes no sense." };
    // Lifetimes count, not moments: the two clocks may differ.
    const sent = Date.parse(response.headers.get("date") ?? "");
    const lives = ends - (Number.isNaN(sent) ? now() : sent);
    return { kind: "in", token, until: now() + lives };
  }
  const message = text(said, "message");
  if (response.status === 429) return { kind: "away", message: message === "" ? "Too many tries: wait a little." : message };
  if (response.status >= 500) return { kind: "away", message: "The server cannot do it now." };
  return { kind: "out", message };
}

/** Ends the session at the server. False: it could not be told. */
export async function leave(fetch: Fetch): Promise<boolean> {
  try {
    return (await post(fetch, "/auth/sign-out", {})).ok;
  } catch {
    return false;
  }
}

function post(fetch: Fetch, path: Path, body: object): Promise<Response> {
  return fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    credentials: "same-origin",
    cache: "no-store",
    // A page that is left in the middle must not lose the next cookie: the one before it is spent.
    keepalive: true,
    signal: AbortSignal.timeout(DEADLINE),
  });
}

function text(said: unknown, name: string): string {
  if (typeof said !== "object" || said === null || !(name in said)) return "";
  const value: unknown = (said as Record<string, unknown>)[name];
  return typeof value === "string" ? value : "";
}
