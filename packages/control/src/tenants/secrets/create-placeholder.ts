// What agents get instead of a credential that the proxy inserts.

import { createHmac, randomBytes } from "node:crypto";
import type { Redacted } from "@dari/domain";

/** A secret that never enters a sandbox. */
export interface KeptSecret {
  readonly name: string;
  readonly placeholder: string;
  readonly value: Redacted<string>;
  /** The hosts for which the proxy replaces the placeholder. */
  readonly hosts: readonly string[];
}

/** A random key of this process, so that a placeholder reveals nothing about its value. */
const key = randomBytes(32);

/**
 * Returns the same placeholder for the same secret, so that a waiting sandbox serves every turn with that secret, and
 * another one after the value or its hosts change. `sessionId`: set for a session's own secret, to hide whether it
 * equals another's. Letters, digits and underscores only, so that nothing escapes them.
 */
export function createPlaceholder(
  of: readonly [organizationId: string, name: string, value: string, hosts: string, sessionId?: string],
): string {
  return `dari_placeholder_${createHmac("sha256", key).update(JSON.stringify(of)).digest("hex")}`;
}
