// Calls without a key that their client repeats, because it went away before the answer: OpenAI's clients do so after
// their time limit, and send no key.

import { idempotencyKeys } from "@dari/db";
import type { Actor } from "../actor.ts";
import type { Control } from "../control.ts";
import { createFingerprint } from "./create-fingerprint.ts";

/** Clients repeat a call within seconds. */
const repeatedWithinMs = 300_000;

interface RepeatableCall {
  readonly path: string;
  readonly body: unknown;
}

/** Notes what a call has created whose client does not get the answer. */
export async function noteUnanswered(
  control: Control,
  actor: Actor,
  { resourceId, ...call }: RepeatableCall & { readonly resourceId: string },
): Promise<void> {
  await idempotencyKeys.insertUnanswered(control.db, { ...scopeOf(control, actor, call), resourceId });
}

/** Returns what an equal call of the same key has created, if its client did not get the answer: the oldest, once. */
export async function takeUnanswered(
  control: Control,
  actor: Actor,
  call: RepeatableCall,
): Promise<string | undefined> {
  return idempotencyKeys.takeUnanswered(control.db, scopeOf(control, actor, call), repeatedWithinMs);
}

function scopeOf(control: Control, { organizationId, keyId }: Actor, { path, body }: RepeatableCall) {
  return { organizationId, path, fingerprint: createFingerprint(control, { keyId, body }) };
}
