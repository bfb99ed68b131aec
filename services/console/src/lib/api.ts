// The generated clients over gRPC-web, from the page's own origin, with the session's token.
import { Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { AuthService } from "../../../../gen/ts/ck8s/auth/v1/auth_service_pb";
import { ProjectsService } from "../../../../gen/ts/ck8s/auth/v1/projects_service_pb";
import { RunsService } from "../../../../gen/ts/ck8s/runs/v1/runs_service_pb";
import { sentence } from "./words";
import { session } from "./session.svelte";

// A unary call that takes longer than this has failed, for a person who waits; milliseconds.
const DEADLINE = 15_000;

// A token that the server no longer takes ends the session that it belongs to.
function refused(token: string | undefined, cause: unknown): ConnectError {
  const error = ConnectError.from(cause);
  if (error.code === Code.Unauthenticated && token !== undefined && token === session.token) session.expire();
  return error;
}

async function* watched<T>(token: string | undefined, messages: AsyncIterable<T>): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (cause) {
    throw refused(token, cause);
  }
}

const authorize: Interceptor = (next) => async (request) => {
  const token = session.token;
  if (token !== undefined && !request.header.has("authorization")) request.header.set("authorization", `Bearer ${token}`);
  try {
    const response = await next(request);
    return response.stream ? { ...response, message: watched(token, response.message) } : response;
  } catch (cause) {
    throw refused(token, cause);
  }
};

const transport = createGrpcWebTransport({
  baseUrl: location.origin,
  interceptors: [authorize],
  defaultTimeoutMs: DEADLINE,
});

/** Tokens and sign-in links. */
export const auth = createClient(AuthService, transport);
/** Projects. */
export const projects = createClient(ProjectsService, transport);
/** Runs, logs, slots, workers. */
export const runs = createClient(RunsService, transport);

/** Options of a stream: it has no deadline. */
export const STREAM = { timeoutMs: 0 };

/** An error as a person may read it: the server's own sentence, or what keeps the page from the server. */
export function explain(error: unknown): string {
  const failure = ConnectError.from(error);
  switch (failure.code) {
    case Code.Unavailable:
    case Code.Unknown:
      return "The server cannot be reached.";
    case Code.DeadlineExceeded:
      return "The server did not answer in time.";
    default: {
      const text = failure.rawMessage.trim();
      return text === "" ? "The server refused without a reason." : sentence(text);
    }
  }
}
