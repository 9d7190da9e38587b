// Whether a secret is some organization's key, asked for many at once.

import type { Control } from "@dari/control/context";
import { apiKeys, coalesceReads } from "@dari/db";
import { hashKeySecret, isKeySecret } from "./key-secret.ts";

/** Hashes of one statement. */
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
 * False for what nobody's key is; a key that was revoked is known. All that ask in one moment share one statement and
 * so one connection, however many they are.
 */
export async function isKnownKey(control: Control, secret: string): Promise<boolean> {
  return isKeySecret(secret) && (await lookUp(control.db, "keys", hashKeySecret(secret).toString("hex"))) === true;
}
