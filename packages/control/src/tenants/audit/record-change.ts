// The only way to write to the audit log. A change that must be recorded runs in here.

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
  /** In whose log it stands; absent: the actor's organization. */
  readonly organizationId?: string;
  /** What the call answered, where a repeated call must be answered the same. */
  readonly reply?: unknown;
}

/**
 * Makes a change and puts it on record in one transaction: neither is there without the other. `describe` answers
 * undefined where nothing was changed after all; what `make` throws takes everything back.
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

/** For changes that take several entries: within their transaction. Returns the entry's id. */
export async function recordChange(inside: Control, actor: Actor, change: Change): Promise<string> {
  const id = newId("auditEntry");
  await auditEntries.insertAuditEntry(inside.db, {
    id,
    organizationId: change.organizationId ?? actor.organizationId,
    actorKeyId: isId("apiKey", actor.keyId) ? actor.keyId : null,
    actorMemberId: actor.person?.memberId ?? null,
    action: change.action,
    target: change.target,
    details: change.details ?? {},
    requestId: actor.requestId ?? null,
    ...(change.reply === undefined ? {} : { reply: change.reply }),
  });
  return id;
}
