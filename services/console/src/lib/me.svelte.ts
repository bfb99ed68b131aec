// Who the server takes us for: asked once a session, and again when somebody looks at the tab again.
import type { WhoAmIResponse } from "../../../../gen/ts/ck8s/auth/v1/auth_service_pb";
import { Caller, ProjectRole } from "../../../../gen/ts/ck8s/policy/v1/policy_pb";
import { auth } from "./api";

class Me {
  #answer = $state.raw<WhoAmIResponse>();
  /** Asked, and answered or not: nothing needs to wait any longer. */
  known = $state(false);

  /** What people are called; empty while it is unknown. */
  get name(): string {
    return this.#answer?.name ?? "";
  }

  /** May do everything. */
  get admin(): boolean {
    return this.#answer?.caller === Caller.ADMIN;
  }

  /** A person who is member of nothing: there is nothing to show them. */
  get homeless(): boolean {
    const answer = this.#answer;
    if (answer?.caller !== Caller.PERSON || answer.person === undefined) return false;
    return answer.person.memberships.length === 0 && answer.person.everywhere === ProjectRole.UNSPECIFIED;
  }

  async ask(): Promise<void> {
    try {
      this.#answer = await auth.whoAmI({});
    } catch {
      // Each page says itself what it cannot show.
    }
    this.known = true;
  }

  /** Somebody else may come. */
  forget(): void {
    this.#answer = undefined;
    this.known = false;
  }
}

/** Who is signed in to this tab. */
export const me = new Me();
