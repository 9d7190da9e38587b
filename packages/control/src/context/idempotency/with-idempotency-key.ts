// Runs a creation once per `Idempotency-Key`, however often it is called.

import { idempotencyKeys } from "@dari/db";
import { AppError } from "@dari/domain";
import type { Actor } from "../actor.ts";
import type { Control } from "../control.ts";
import { inOneTransaction } from "../in-one-transaction.ts";

/** One call with a key. The key is unique within the organization, the method and the path. */
export interface KeyedCall {
  readonly method: string;
  /** With its parameters filled in. */
  readonly path: string;
  readonly key: string;
  /** Identifies the body; see `createFingerprint`. */
  readonly fingerprint: string;
  /** The status of the reply if the call creates its resource. */
  readonly status: number;
  /** The id that `work` gives a new resource, if it is known before: it is stored with the key. */
  readonly plannedId?: string | undefined;
}

export type IdempotentResult<Made> =
  | { readonly replayed: false; readonly made: Made }
  | { readonly replayed: true; readonly resourceId: string; readonly status: number };

/**
 * The key and what `work` writes are one commit, so a crash leaves both or neither. Equal calls at the same time wait
 * for the first one. A refusal frees the key.
 * @throws AppError `idempotency_key_reused` for another body; `unavailable` if the key is being deleted; and what
 *   `work` throws.
 */
export async function withIdempotencyKey<Made extends { readonly resourceId: string }>(
  control: Control,
  actor: Actor,
  call: KeyedCall,
  work: (control: Control) => Promise<Made>,
): Promise<IdempotentResult<Made>> {
  const { method, path, key, fingerprint, status, plannedId } = call;
  const scope = { organizationId: actor.organizationId, method, path, key };
  const taken = { fingerprint, status, resourceId: plannedId };
  return inOneTransaction(control, async (inside): Promise<IdempotentResult<Made>> => {
    if (await idempotencyKeys.insertIdempotencyKeyIfNew(inside.db, scope, taken)) {
      const made = await work(inside);
      const { resourceId } = made;
      if (resourceId !== plannedId) await idempotencyKeys.setIdempotencyKeyResource(inside.db, scope, resourceId);
      return { replayed: false, made };
    }
    const stored = await idempotencyKeys.findIdempotencyKey(inside.db, scope);
    if (stored === undefined)
      throw new AppError("unavailable", "the idempotency key expired during this request; send the request again");
    if (stored.fingerprint !== fingerprint) {
      throw new AppError(
        "idempotency_key_reused",
        "the idempotency key was used before for another request; use a new key",
      );
    }
    return { replayed: true, resourceId: stored.resourceId, status: stored.status };
  });
}
