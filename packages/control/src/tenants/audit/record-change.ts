// The only way to write to the audit log. A change that must be recorded runs in `onRecord`.

import type { AuditAction } from "@dari/contract";
import { inOneTransaction, type Actor, type Control } from "@dari/control/context";
import { auditEntries } from "@dari/db";
import { isId, newId } from "@dari/domain";

export interface Change {
  readonly action: AuditAction;
  /** The id of what was changed. */
  readonly target: string;
  /** Never a secret's value. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** The organization whose log gets the entry (default: the actor's). */
  readonly organizationId?: string;
  /** The reply, if a repeated call must get the same one. */
  readonly reply?: unknown;
}

/**
 * Makes a change and its audit entry in one transaction. If `describe` returns undefined, nothing was changed, and no
 * entry is written. An error of `make` rolls back everything.
 */
export async function withAuditEntry<Result>(
  control: Control,
  actor: Actor,
  make: (inside: Control) => Promise<Result>,
  describe: (result: Result) => Change | undefined,
): Promise<Result> {
  return inOneTransaction(control, async (inside) => {
    const result = await make(inside);
    const change = describe(result);
    if (change !== undefined) await recordChange(inside, actor, change);
    return result;
  });
}

/** Adds an entry within the caller's transaction, for changes with several entries. Returns its id. */
export async function recordChange(inside: Control, actor: Actor, change: Change): Promise<string> {
  const id = newId("auditEntry");
  await auditEntries.insertAuditEntry(inside.db, {
    id,
    organizationId: change.organizationId ?? actor.organizationId,
    actorKeyId: isId("apiKey", actor.keyId) ? actor.keyId : null,
    actorMemberId: actor.person?.memberId ?? null,
    action: change.action,
    target: change.target,
    details: { ...change.details, ...tokenDetails(actor) },
    requestId: actor.requestId ?? null,
    ...(change.reply === undefined ? {} : { reply: change.reply }),
  });
  return id;
}

/** A session token has no row, so the entry says which one it was and who had it. */
function tokenDetails({ sessionToken }: Actor): Readonly<Record<string, unknown>> {
  if (sessionToken === undefined) return {};
  const { id, creatorId, endUser } = sessionToken;
  return { session_token_id: id, session_token_creator: creatorId, ...(endUser && { end_user: endUser }) };
}
