// What happened to a run, in order, each thing once. Pure.
import type { FlowEvent } from "../../../../gen/ts/ck8s/runs/v1/runs_pb";

/** Adds events that are not known yet. They come in order; the list and the watch may overlap. */
export function extend(known: readonly FlowEvent[], more: readonly FlowEvent[]): readonly FlowEvent[] {
  const cursors = new Set(known.map((event) => event.cursor));
  const fresh = more.filter((event) => !cursors.has(event.cursor));
  return fresh.length === 0 ? known : [...known, ...fresh];
}

function data(event: FlowEvent): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(event.dataJson);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
  } catch {
    return {};
  }
}

/** What happened, in a few words; what the event itself says comes after them. An unknown kind speaks for itself. */
export function headline(event: FlowEvent): string {
  const known = data(event);
  const name = (key: string): string => (known[key] === undefined || known[key] === null ? "" : String(known[key]));
  const attempt = Number(known["attempt"] ?? 1) > 1 ? `, attempt ${name("attempt")}` : "";
  switch (event.kind) {
    case "run.created":
      return "Made";
    case "run.leased":
      return `Granted${attempt}`;
    case "run.running":
      return `Its workload runs${attempt}`;
    case "run.adopted":
      return "Its workload was found and goes on";
    case "run.taken_over":
      return "Taken over";
    case "run.orphaned":
      return "Its worker is lost";
    case "run.requeued":
      return `It waits again${attempt}`;
    case "run.finished":
      return name("state") === "" ? "Ended" : `Ended: ${name("state")}`;
    case "run.released":
      return "Its workload is gone";
    default:
      return event.kind;
  }
}

/** An event's data as rows of name and value; none if there is nothing to show. */
export function details(event: FlowEvent): [string, string][] {
  return Object.entries(data(event))
    .filter(([, value]) => value !== null && value !== "")
    .map(([name, value]) => [name.replaceAll("_", " "), typeof value === "string" ? value : JSON.stringify(value)]);
}
