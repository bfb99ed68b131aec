// The generated clients over gRPC-web, to the page's own origin, with the session's token.
import { Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { AuthService } from "../../../../gen/ts/ck8s/auth/v1/auth_service_pb";
import { ProjectsService } from "../../../../gen/ts/ck8s/auth/v1/projects_service_pb";
import { RunsService } from "../../../../gen/ts/ck8s/runs/v1/runs_service_pb";
import { sentence } from "./format";
import { StreamRestart } from "./live-stream";
import { session } from "./session.svelte";

// Bounds a unary call, because a person waits for it; milliseconds.
const CALL_TIMEOUT = 15_000;

function isUnauthenticated(cause: unknown): boolean {
  return ConnectError.from(cause).code === Code.Unauthenticated;
}

// Passes on the messages of a stream. If its token was refused and there is another one, the owner opens the stream
// again.
async function* restartable<T>(token: string, messages: AsyncIterable<T>): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (cause) {
    if (isUnauthenticated(cause) && (await session.replaceRefused(token))) throw new StreamRestart();
    throw cause;
  }
}

const authorize: Interceptor = (next) => async (request) => {
  if (request.header.has("authorization")) return next(request);
  const token = await session.accessToken();
  if (token === undefined) return next(request);
  request.header.set("authorization", `Bearer ${token}`);
  try {
    const response = await next(request);
    return response.stream ? { ...response, message: restartable(token, response.message) } : response;
  } catch (cause) {
    if (!isUnauthenticated(cause) || !(await session.replaceRefused(token))) throw cause;
    if (request.stream) throw new StreamRestart();
    request.header.set("authorization", `Bearer ${(await session.accessToken()) ?? ""}`);
    return next(request);
  }
};

const transport = createGrpcWebTransport({
  baseUrl: location.origin,
  interceptors: [authorize],
  defaultTimeoutMs: CALL_TIMEOUT,
});

/** Tokens and sign-in links. */
export const auth = createClient(AuthService, transport);
/** Projects. */
export const projects = createClient(ProjectsService, transport);
/** Runs, logs, slots, workers. */
export const runs = createClient(RunsService, transport);

/** The options of a stream, which has no deadline. */
export const STREAM_OPTIONS = { timeoutMs: 0 };

/** Returns an error as people read it: the server's own message, or what keeps the page from the server. */
export function errorMessage(error: unknown): string {
  const failure = ConnectError.from(error);
  switch (failure.code) {
    case Code.Unavailable:
    case Code.Unknown:
      return "The server cannot be reached.";
    case Code.DeadlineExceeded:
      return "The server did not answer in time.";
    default: {
      const text = failure.rawMessage.trim();
      return text === "" ? "The server refused this without a reason." : sentence(text);
    }
  }
}
