// Names for projects' ids. Fetched once, and again when an unknown id shows up.
import { SvelteMap } from "svelte/reactivity";
import type { Project } from "../../../../gen/ts/ck8s/auth/v1/auth_pb";
import { projects } from "./api";
import { shortId } from "./words";

// An id that stays unknown is not asked for more often than this; milliseconds.
const PAUSE = 10_000;

class Names {
  #known = new SvelteMap<string, Project>();
  #asked = 0;

  /** Every project that is known, by slug. */
  get all(): Project[] {
    return [...this.#known.values()].sort((a, b) => a.slug.localeCompare(b.slug));
  }

  /** The project's slug, or the end of its id while nothing better is known. */
  project(id: string): string {
    return this.#known.get(id)?.slug ?? shortId(id);
  }

  /** Fetches the names if one of these ids is unknown. */
  async learn(ids: Iterable<string>): Promise<void> {
    const unknown = [...ids].some((id) => id !== "" && !this.#known.has(id));
    if (unknown) await this.refresh();
  }

  /** Fetches all names. They are an ornament: a failure leaves the ids. */
  async refresh(): Promise<void> {
    if (Date.now() - this.#asked < PAUSE) return;
    this.#asked = Date.now();
    let pageToken = "";
    try {
      do {
        const page = await projects.listProjects({ pageSize: 200, pageToken });
        for (const project of page.projects) this.#known.set(project.id, project);
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
    } catch {
      // The ids are shown instead.
    }
  }
}

/** The one set of names of this tab. */
export const names = new Names();
