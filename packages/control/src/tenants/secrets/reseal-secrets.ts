// Seals every stored secret under the current master key, in steps, so that old keys can be removed.

import type { Resealed } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { sealedValues, triggers } from "@dari/db";
import { limits } from "@dari/domain";
import { recordChange } from "../audit/record-change.ts";

/**
 * Reseals at most `limit` values after `after`. Skips values that were replaced in the meantime, and names those that
 * do not open. The first step erases old secrets of triggers that have expired. Safe to repeat and to run concurrently.
 */
export async function resealSecrets(
  control: Control,
  actor: Actor,
  {
    after = "",
    limit = limits.resealDefault,
  }: { readonly after?: string | undefined; readonly limit?: number | undefined },
): Promise<Resealed> {
  const { sealer } = control;
  const [ownerId = "", name = ""] = after.split(" ");
  if (after === "") await triggers.eraseExpiredOldSecrets(control.db);
  const values = await sealedValues.listSealedWithOtherKey(control.db, sealer.currentPrefix, { ownerId, name }, limit);
  let resealed = 0;
  const unopened: { organization_id: string; name: string; reason: string }[] = [];
  for (const value of values) {
    const place = { organizationId: value.organizationId, name: value.name };
    let sealed: Buffer;
    try {
      sealed = sealer.seal(sealer.open(value.sealed, place), place);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      unopened.push({ organization_id: value.organizationId, name: value.name, reason });
      continue;
    }
    if (await sealedValues.replaceSealedIfUnchanged(control.db, value, sealed)) resealed += 1;
  }
  if (resealed > 0) {
    const details = { key_id: sealer.keyId, resealed };
    await recordChange(control, actor, { action: "secrets.reseal", target: actor.organizationId, details });
  }
  const last = values.at(-1);
  const isMore = last !== undefined && values.length === limit;
  return { key_id: sealer.keyId, resealed, unopened, next: isMore ? `${last.ownerId} ${last.name}` : null };
}
