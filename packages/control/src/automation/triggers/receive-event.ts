// Receives an event at a trigger's URL: finds the trigger, verifies the sender, and sends one message in one
// transaction. The turn's end is not awaited.

import type { TriggerReceipt, TriggerScheme } from "@dari/contract";
import { inOneTransaction, withIdempotencyKey, type Actor, type Control } from "@dari/control/context";
import { requestedLane, sendMessage } from "@dari/control/turns";
import { coalesceReads, sessions, triggers, type ReceivingTrigger } from "@dari/db";
import { AppError, newId, notFound, requireFound } from "@dari/domain";
import type { EventId } from "./find-event-id.ts";
import { pausedReason, renderIgnored, type PlannedMessage } from "./plan-event.ts";
import { isSigned, type TriggerRequest } from "./verify-signature.ts";
import { hashTriggerToken, isTriggerToken, triggerSecretName } from "./trigger-token.ts";

/** Hashes per statement. */
const hashesMax = 1_000;

const lookUp = coalesceReads(
  async (db, _group, hashes) => {
    const bytes = hashes.map((hash) => Buffer.from(hash, "hex"));
    const found = await triggers.listTriggersByToken(db, bytes);
    return new Map(found.map((trigger) => [trigger.tokenHash.toString("hex"), trigger]));
  },
  { keysMax: hashesMax },
);

/**
 * Returns the trigger of a token, or undefined, whatever is wrong with the token. Concurrent calls share one statement,
 * and so one connection.
 */
export async function findTriggerByToken(
  control: Pick<Control, "db">,
  token: string,
): Promise<ReceivingTrigger | undefined> {
  if (!isTriggerToken(token)) return undefined;
  return lookUp(control.db, "triggers", hashTriggerToken(token).toString("hex"));
}

/**
 * @throws AppError `unauthenticated`, with the same text whatever is wrong with the signature; `unavailable` if none of
 *   the trigger's secrets can be decrypted.
 */
export function verifySender(
  control: Pick<Control, "sealer" | "log">,
  trigger: ReceivingTrigger,
  request: TriggerRequest,
): void {
  const secrets = openSecrets(control, trigger);
  if (secrets.length === 0 && trigger.secrets.length > 0) {
    throw new AppError("unavailable", "the event's signature cannot be checked now; send the event again later");
  }
  if (isSigned(trigger.scheme as TriggerScheme, secrets, request, Date.now())) return;
  throw new AppError("unauthenticated", "the event's signature is missing, wrong or too old");
}

/** Opens each secret separately: events that are signed with the other one are still verified. */
function openSecrets(control: Pick<Control, "sealer" | "log">, trigger: ReceivingTrigger): string[] {
  const context = { organizationId: trigger.organizationId, name: triggerSecretName(trigger.id) };
  return trigger.secrets.flatMap((sealed) => {
    try {
      return [control.sealer.open(sealed, context)];
    } catch (error) {
      // The error names the secret and the master keys, and contains neither.
      control.log.error({ org: trigger.organizationId, trigger_id: trigger.id, err: error }, "trigger.secret_unopened");
      return [];
    }
  });
}

/** Returns the caller of everything that an event does: its trigger's organization, without a key. */
export function actorOfTrigger(trigger: ReceivingTrigger, requestId: string): Actor {
  return { organizationId: trigger.organizationId, keyId: "", scopes: [], requestId };
}

/** The id of the event decides whether it came before, not its contents: Stripe changes a field when it sends again. */
const sameFingerprint = "";
const accepted = 202;

/** Rolls back an event whose trigger was paused after it was found. */
class TriggerPausedError extends Error {}

/**
 * Sends an event's message to its session, which is created if needed. The event's id, the session and the message are
 * one commit: if it fails, the sender can repeat the event. An event that came before sends nothing.
 * @throws AppError `not_found` if the trigger was deleted in the meantime; `conflict` if the agent has no
 *   version; and as `sendMessage`.
 */
export async function sendEventMessage(
  control: Control,
  actor: Actor,
  trigger: ReceivingTrigger,
  message: PlannedMessage,
): Promise<TriggerReceipt> {
  const send = async (inside: Control) => {
    const place = { organizationId: trigger.organizationId, triggerId: trigger.id };
    const status = requireFound(await triggers.holdTrigger(inside.db, place), "trigger");
    if (status === "paused") throw new TriggerPausedError();
    const sessionId = await findSession(inside, trigger, message);
    const { messageId } = await sendMessage(inside, actor, {
      sessionId,
      parts: message.parts,
      metadata: metadataOf(trigger, message),
      lane: requestedLane(trigger),
    });
    return { resourceId: messageId, sessionId };
  };
  try {
    return await sendOnce(control, actor, trigger, message.eventId, send);
  } catch (error) {
    if (error instanceof TriggerPausedError) return renderIgnored(pausedReason);
    throw error;
  }
}

interface SentMessage {
  readonly resourceId: string;
  readonly sessionId: string;
}

async function sendOnce(
  control: Control,
  actor: Actor,
  trigger: ReceivingTrigger,
  eventId: EventId | undefined,
  send: (inside: Control) => Promise<SentMessage>,
): Promise<TriggerReceipt> {
  if (eventId === undefined) return renderAccepted(await inOneTransaction(control, send));
  const call = { method: "POST", path: `/v1/triggers/${trigger.id}`, key: eventId.key };
  const result = await withIdempotencyKey(
    control,
    actor,
    { ...call, fingerprint: sameFingerprint, status: accepted },
    send,
  );
  return result.replayed ? { status: "duplicate", message_id: result.resourceId } : renderAccepted(result.made);
}

function renderAccepted({ resourceId, sessionId }: SentMessage): TriggerReceipt {
  return { status: "accepted", session_id: sessionId, message_id: resourceId };
}

function metadataOf(trigger: ReceivingTrigger, { eventId }: PlannedMessage): Record<string, string> {
  return {
    trigger_id: trigger.id,
    ...(eventId === undefined || eventId.text === "" ? {} : { trigger_event_id: eventId.text }),
  };
}

async function findSession(inside: Control, trigger: ReceivingTrigger, { session }: PlannedMessage): Promise<string> {
  const { organizationId, id: triggerId } = trigger;
  const newSessionId = newId("session");
  if (session === undefined) return startSession(inside, trigger, newSessionId, null);
  const key = { organizationId, triggerId, keyDigest: session.keyDigest, newSessionId };
  const sessionId = await triggers.reserveSessionOfKey(inside.db, key);
  if (sessionId !== newSessionId) return sessionId;
  return startSession(inside, trigger, newSessionId, session.name === "" ? null : session.name);
}

async function startSession(
  inside: Control,
  trigger: ReceivingTrigger,
  id: string,
  name: string | null,
): Promise<string> {
  const { organizationId, agentId } = trigger;
  const outcome = await sessions.insertSessionIfAgentLive(inside.db, {
    id,
    organizationId,
    agentId,
    versionId: undefined,
    name,
    metadata: { trigger_id: trigger.id },
    secrets: [],
    createdBy: trigger.id,
  });
  if (outcome === "created") return id;
  if (outcome === "agent_gone") throw notFound("trigger");
  throw new AppError("conflict", "the agent has no version that is ready or being built; deploy one first");
}
