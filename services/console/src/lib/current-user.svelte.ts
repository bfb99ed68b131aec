// The user of this tab, as the server knows them. The server is asked once a session, and again when the tab becomes
// visible.
import type { WhoAmIResponse } from "../../../../gen/ts/ck8s/auth/v1/auth_service_pb";
import { Caller, ProjectRole } from "../../../../gen/ts/ck8s/policy/v1/policy_pb";
import { auth } from "./api";

class CurrentUser {
  #response = $state.raw<WhoAmIResponse>();
  /** Whether the server was asked, successfully or not: no page needs to wait. */
  loaded = $state(false);

  /** The name of the person or token; empty while it is unknown. */
  get name(): string {
    return this.#response?.name ?? "";
  }

  /** Whether they may do everything. */
  get isAdmin(): boolean {
    return this.#response?.caller === Caller.ADMIN;
  }

  /** Whether they are a person without any project, who sees nothing. */
  get hasNoProjects(): boolean {
    const response = this.#response;
    if (response?.caller !== Caller.PERSON || response.person === undefined) return false;
    return response.person.memberships.length === 0 && response.person.everywhere === ProjectRole.UNSPECIFIED;
  }

  /** Asks the server again. */
  async refresh(): Promise<void> {
    try {
      this.#response = await auth.whoAmI({});
    } catch {
      // Each page reports what it cannot show.
    }
    this.loaded = true;
  }

  /** Forgets the user at the end of a session. */
  forget(): void {
    this.#response = undefined;
    this.loaded = false;
  }
}

/** The user of this tab. */
export const currentUser = new CurrentUser();
