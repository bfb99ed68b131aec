// The addresses of pages: #/runs, #/runs/<id>, with filters behind a question mark. Pure.
import { RunState } from "../../../../gen/ts/ck8s/runs/v1/runs_pb";
import type { Filter } from "./run-list";
import { stateFromLabel, stateLabel } from "./labels";

/** A page of the console. */
export type Route = { page: "runs"; filter: Filter } | { page: "run"; id: string } | { page: "unknown" };

/** Parses the fragment of an address, with its #. */
export function parseRoute(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const parts = path.split("/").filter((part) => part !== "");
  if (parts.length === 0 || (parts.length === 1 && parts[0] === "runs")) {
    const search = new URLSearchParams(query);
    const states = search.getAll("state").map(stateFromLabel);
    return {
      page: "runs",
      filter: {
        states: states.filter((state): state is RunState => state !== undefined),
        projectId: search.get("project") ?? "",
      },
    };
  }
  const id = parts[1];
  if (parts.length === 2 && parts[0] === "runs" && id !== undefined && /^[\w-]+$/.test(id)) return { page: "run", id };
  return { page: "unknown" };
}

/** Returns the address of a list. */
export function runsHref(filter: Filter): string {
  const search = new URLSearchParams();
  for (const state of filter.states) search.append("state", stateLabel(state));
  if (filter.projectId !== "") search.set("project", filter.projectId);
  const query = search.toString();
  return query === "" ? "#/runs" : `#/runs?${query}`;
}

/** Returns the address of a run. */
export function runHref(id: string): string {
  return `#/runs/${id}`;
}

/** Returns the code of a sign-in link, if the fragment is one. */
export function linkCode(hash: string): string | undefined {
  const code = /^#link=([A-Za-z0-9_-]+)$/.exec(hash)?.[1];
  return code;
}
