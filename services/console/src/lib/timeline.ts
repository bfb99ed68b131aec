// The flow events of a run, in order, each once. Pure.
import type { FlowEvent } from "../../../../gen/ts/ck8s/runs/v1/runs_pb";

/**
 * Adds the events that are not in the list yet. They come in order; what was listed and what is watched may overlap.
 */
export function addEvents(events: readonly FlowEvent[], more: readonly FlowEvent[]): readonly FlowEvent[] {
  const cursors = new Set(events.map((event) => event.cursor));
  const fresh = more.filter((event) => !cursors.has(event.cursor));
  return fresh.length === 0 ? events : [...events, ...fresh];
}

function parseData(event: FlowEvent): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(event.dataJson);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
  } catch {
    return {};
  }
}

/** Returns a headline for an event. Its own message comes below it. An unknown kind is its own headline. */
export function headline(event: FlowEvent): string {
  const data = parseData(event);
  const field = (key: string): string => (data[key] === undefined || data[key] === null ? "" : String(data[key]));
  const attempt = Number(data["attempt"] ?? 1) > 1 ? `, attempt ${field("attempt")}` : "";
  switch (event.kind) {
    case "run.created":
      return "Created";
    case "run.leased":
      return `Leased${attempt}`;
    case "run.running":
      return `Workload running${attempt}`;
    case "run.adopted":
      return "Workload adopted";
    case "run.taken_over":
      return "Taken over";
    case "run.orphaned":
      return "Worker lost";
    case "run.requeued":
      return `Waiting again${attempt}`;
    case "run.finished":
      return field("state") === "" ? "Ended" : `Ended: ${field("state")}`;
    case "run.released":
      return "Workload removed";
    default:
      return event.kind;
  }
}

/** Returns an event's data as rows of name and value; none if there is nothing to show. */
export function details(event: FlowEvent): [string, string][] {
  return Object.entries(parseData(event))
    .filter(([, value]) => value !== null && value !== "")
    .map(([name, value]) => [name.replaceAll("_", " "), typeof value === "string" ? value : JSON.stringify(value)]);
}
