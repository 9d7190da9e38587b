// Who starts a session.

import type { Actor } from "@dari/control/context";
import { isId } from "@dari/domain";

/** Returns the id of the member, or of the key. Null for the installation itself. */
export function creatorOf({ person, keyId }: Actor): string | null {
  return person?.memberId ?? (isId("apiKey", keyId) ? keyId : null);
}
