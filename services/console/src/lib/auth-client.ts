// The client of the server's sign-in endpoints: requests that begin, renew and end a session. The refresh token is in a
// cookie that no script can read. No DOM, no framework.

/** The answer to a request for a session. */
export type AuthResult =
  /** A session: its access token, and when that expires by this machine's clock; milliseconds since 1970. */
  | { kind: "signed-in"; token: string; expiry: number }
  /** Nobody is signed in, or the credential is no longer valid. The message says why, for people. */
  | { kind: "signed-out"; message: string }
  /** The server cannot answer now. The message says why, for people. */
  | { kind: "unavailable"; message: string };

/** The endpoints. */
export type AuthPath = "/auth/refresh" | "/auth/link" | "/auth/sign-out";

/** `fetch`, as in a browser. */
export type Fetch = (path: string, init: RequestInit) => Promise<Response>;

// Bounds a request, because a person waits for it; milliseconds.
const REQUEST_TIMEOUT = 15_000;

/** Requests a session: by the cookie, or with the code of a sign-in link. */
export async function requestSession(fetch: Fetch, path: AuthPath, body: object, now: () => number): Promise<AuthResult> {
  let response: Response;
  let answer: unknown;
  try {
    response = await post(fetch, path, body);
    answer = await response.json().catch(() => undefined);
  } catch {
    return { kind: "unavailable", message: "The server cannot be reached." };
  }
  if (response.ok) {
    const token = stringField(answer, "access_token");
    const expiry = Date.parse(stringField(answer, "expire_time"));
    if (token === "" || Number.isNaN(expiry)) {
      return { kind: "unavailable", message: "The server sent an answer that this page does not understand." };
    }
    // The token's lifetime counts, not its end: the two clocks may differ.
    const sent = Date.parse(response.headers.get("date") ?? "");
    const lifetime = expiry - (Number.isNaN(sent) ? now() : sent);
    return { kind: "signed-in", token, expiry: now() + lifetime };
  }
  const message = stringField(answer, "message");
  if (response.status === 429) {
    return { kind: "unavailable", message: message === "" ? "Too many attempts. Wait a moment." : message };
  }
  if (response.status >= 500) return { kind: "unavailable", message: "The server cannot do this right now." };
  return { kind: "signed-out", message };
}

/** Ends the session at the server. Returns whether the server has done it. */
export async function requestSignOut(fetch: Fetch): Promise<boolean> {
  try {
    return (await post(fetch, "/auth/sign-out", {})).ok;
  } catch {
    return false;
  }
}

function post(fetch: Fetch, path: AuthPath, body: object): Promise<Response> {
  return fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    credentials: "same-origin",
    cache: "no-store",
    // The request survives its page: otherwise a page that is closed meanwhile loses the next cookie, and the one
    // before it is spent.
    keepalive: true,
    signal: AbortSignal.timeout(REQUEST_TIMEOUT),
  });
}

function stringField(answer: unknown, name: string): string {
  if (typeof answer !== "object" || answer === null || !(name in answer)) return "";
  const value: unknown = (answer as Record<string, unknown>)[name];
  return typeof value === "string" ? value : "";
}
