// Finds the caller that a secret belongs to.

import type { Role } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { apiKeys, coalesceReads, type UsableApiKey } from "@dari/db";
import { AppError } from "@dari/domain";
import { intersectScopes } from "../members/intersect-scopes.ts";
import { hashKeySecret, isKeySecret } from "./key-secret.ts";

/** Clients with many calls use one key: concurrent calls share one query. */
const findKey = coalesceReads(
  async (db, hash) => {
    const key = await apiKeys.findApiKeyIfUsable(db, Buffer.from(hash, "hex"));
    return new Map(key === undefined ? [] : [["", key]]);
  },
  { keysMax: 1 },
);

export function unauthenticated(): AppError {
  return new AppError("unauthenticated", "Missing or invalid API key");
}

/** @throws AppError `unauthenticated`, with the same text whatever is wrong with the key. */
export async function authenticateKey(control: Control, secret: string | undefined): Promise<Actor> {
  if (secret === undefined || !isKeySecret(secret)) throw unauthenticated();
  const key = await findKey(control.db, hashKeySecret(secret).toString("hex"), "");
  if (key === undefined) throw unauthenticated();
  noteUse(control, key);
  return toActor(key);
}

/** Authenticates a browser that is signed in with this key. @throws AppError `unauthenticated` */
export async function authenticateKeyById(control: Control, keyId: string): Promise<Actor> {
  const key = await apiKeys.findUsableApiKeyById(control.db, keyId);
  if (key === undefined) throw unauthenticated();
  noteUse(control, key);
  return toActor(key);
}

/** Records the use of a key. Not awaited, and harmless if lost. */
function noteUse(control: Control, { id, useIsStale }: UsableApiKey): void {
  if (!useIsStale) return;
  apiKeys.touchApiKeyIfStale(control.db, id).catch((err: unknown) => {
    control.log.warn({ err, key_id: id }, "key use not recorded");
  });
}

function toActor(key: UsableApiKey): Actor {
  const { id, organizationId, scopes, maxRequestsPerMinute, maxMessagesPerMinute, maxUploadBytesPerHour } = key;
  const { isApp, memberId } = key;
  const rates = { maxRequestsPerMinute, maxMessagesPerMinute, maxUploadBytesPerHour };
  if (memberId === null) return { organizationId, keyId: id, scopes, rates, isApp, managesOwners: key.managesOwners };
  const role = key.memberRole as Role;
  const person = { memberId, role };
  const managesOwners = key.managesOwners && role === "owner";
  return { organizationId, keyId: id, scopes: intersectScopes(role, scopes), rates, isApp, person, managesOwners };
}
