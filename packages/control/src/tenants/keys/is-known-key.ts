// Checks whether secrets are keys of any organization, many at a time.

import type { Control } from "@dari/control/context";
import { apiKeys, coalesceReads } from "@dari/db";
import { isKnownToken } from "../session-tokens/authenticate-session-token.ts";
import { isSessionToken } from "../session-tokens/token-text.ts";
import { hashKeySecret, isKeySecret } from "./key-secret.ts";

/** Hashes per statement. */
const keysMax = 5_000;

const lookUp = coalesceReads(
  async (db, _group, hashes) => {
    const known = await apiKeys.listKnownHashes(
      db,
      hashes.map((hash) => Buffer.from(hash, "hex")),
    );
    return new Map(known.map((hash) => [hash.toString("hex"), true]));
  },
  { keysMax },
);

/**
 * Returns whether the secret is or was a key or a session token. Concurrent calls share one statement, and so one
 * connection.
 */
export async function isKnownKey(control: Control, secret: string): Promise<boolean> {
  if (isSessionToken(secret)) return isKnownToken(control, secret);
  return isKeySecret(secret) && (await lookUp(control.db, "keys", hashKeySecret(secret).toString("hex"))) === true;
}
