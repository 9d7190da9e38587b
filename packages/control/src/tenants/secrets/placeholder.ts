// What agents are given in place of a credential that is put in on the way out.

import { createHmac, randomBytes } from "node:crypto";
import type { Redacted } from "@dari/domain";

/** A secret that never enters a sandbox. */
export interface KeptSecret {
  readonly name: string;
  readonly placeholder: string;
  readonly value: Redacted<string>;
  /** Where the value is put in for the placeholder. */
  readonly hosts: readonly string[];
}

/** A key of this process, so that a placeholder reveals nothing about its value. */
const key = randomBytes(32);

/**
 * The same for the same secret, so that a sandbox which waits serves any turn that is given it, and another once the
 * value or its hosts have changed. `sessionId`: of one that is a session's own; whether it is what others have is not
 * to be seen. Letters, digits and underscores: nothing escapes them.
 */
export function placeholderOf(
  of: readonly [organizationId: string, name: string, value: string, hosts: string, sessionId?: string],
): string {
  return `dari_placeholder_${createHmac("sha256", key).update(JSON.stringify(of)).digest("hex")}`;
}
