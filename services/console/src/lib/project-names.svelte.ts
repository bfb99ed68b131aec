// The names of projects. They are fetched once, and again when an unknown id appears.
import { SvelteMap } from "svelte/reactivity";
import type { Project } from "../../../../gen/ts/ck8s/auth/v1/auth_pb";
import { projects } from "./api";
import { shortId } from "./format";

// How often the names are fetched at most, though an id stays unknown; milliseconds.
const MIN_REFRESH_INTERVAL = 10_000;

class ProjectNames {
  #projects = new SvelteMap<string, Project>();
  #lastRefresh = 0;

  /** All known projects, sorted by slug. */
  get all(): Project[] {
    return [...this.#projects.values()].sort((a, b) => a.slug.localeCompare(b.slug));
  }

  /** Returns the project's slug, or the end of its id while the slug is unknown. */
  slug(id: string): string {
    return this.#projects.get(id)?.slug ?? shortId(id);
  }

  /** Fetches the names if one of these ids is unknown. */
  async ensure(ids: Iterable<string>): Promise<void> {
    const unknown = [...ids].some((id) => id !== "" && !this.#projects.has(id));
    if (unknown) await this.refresh();
  }

  /** Fetches all names. If that fails, the ids stay. */
  async refresh(): Promise<void> {
    if (Date.now() - this.#lastRefresh < MIN_REFRESH_INTERVAL) return;
    this.#lastRefresh = Date.now();
    let pageToken = "";
    try {
      do {
        const page = await projects.listProjects({ pageSize: 200, pageToken });
        for (const project of page.projects) this.#projects.set(project.id, project);
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
    } catch {
      // The ids are shown instead.
    }
  }
}

/** The project names of this tab. */
export const projectNames = new ProjectNames();
