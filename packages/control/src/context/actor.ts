// Who calls a verb.

import type { Role } from "@dari/contract";
import type { KeyRates } from "@dari/db";

/** Who calls a verb. Every query is scoped by its organization. */
export interface Actor {
  readonly organizationId: string;
  /** The id of the key, or of the sign-in that is used instead of a key. */
  readonly keyId: string;
  readonly scopes: readonly string[];
  /** The person: by a sign-in, or by the key of its device; undefined: the organization's own key. */
  readonly person?: Person | undefined;
  /** How the person signed in with the browser that calls; undefined: the call shows a key. */
  readonly signInMethod?: "link" | "oidc" | undefined;
  /** Whether it may make, change and remove owners, as far as its scopes go; absent: yes. */
  readonly managesOwners?: boolean | undefined;
  /** What its key may send in a while; undefined: no bound of its own. */
  readonly rates?: KeyRates | undefined;
  /** The id of the call for the audit log; undefined outside of a call. */
  readonly requestId?: string | undefined;
}

/** The member behind a call, with the role at the time of the call. */
export interface Person {
  readonly memberId: string;
  readonly role: Role;
}
