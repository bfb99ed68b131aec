// The generated clients over gRPC-web, from the page's own origin, with the session's token.
import { Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { AuthService } from "../../../../gen/ts/ck8s/auth/v1/auth_service_pb";
import { ProjectsService } from "../../../../gen/ts/ck8s/auth/v1/projects_service_pb";
import { RunsService } from "../../../../gen/ts/ck8s/runs/v1/runs_service_pb";
import { Again } from "./live";
import { sentence } from "./words";
import { session } from "./session.svelte";

// A unary call that takes longer than this has failed, for a person who waits; milliseconds.
const DEADLINE = 15_000;

function unauthenticated(cause: unknown): boolean {
  return ConnectError.from(cause).code === Code.Unauthenticated;
}

// A stream whose token was refused is opened again by its owner, if there is another token.
async function* watched<T>(token: string, messages: AsyncIterable<T>): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (cause) {
    if (unauthenticated(cause) && (await session.renewed(token))) throw new Again();
    throw cause;
  }
}

const authorize: Interceptor = (next) => async (request) => {
  if (request.header.has("authorization")) return next(request);
  const token = await session.bearer();
  if (token === undefined) return next(request);
  request.header.set("authorization", `Bearer ${token}`);
  try {
    const response = await next(request);
    return response.stream ? { ...response, message: watched(token, response.message) } : response;
  } catch (cause) {
    if (!unauthenticated(cause) || !(await session.renewed(token))) throw cause;
    if (request.stream) throw new Again();
    request.header.set("authorization", `Bearer ${(await session.bearer()) ?? ""}`);
    return next(request);
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
