// Creates, changes and deletes triggers. A trigger's URL and a secret that the platform makes are only in the reply.

import { randomBytes } from "node:crypto";
import type {
  CreateTriggerRequest,
  Deleted,
  RotateTriggerSecretRequest,
  TriggerCreated,
  TriggerRecord,
  TriggerScheme,
  TriggerSecretRotated,
  UpdateTriggerRequest,
} from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { withAuditEntry } from "@dari/control/tenants";
import { triggers, type TriggerKey } from "@dari/db";
import { AppError, invalidField, isId, limits, newId, notFound } from "@dari/domain";
import { checkConditions } from "./check-conditions.ts";
import { getTrigger } from "./get-trigger.ts";
import { decodeStandardSecret } from "./verify-signature.ts";
import { parseIdTemplate, parseTemplate } from "./render-template.ts";
import { createTriggerToken, triggerSecretName } from "./trigger-token.ts";

/**
 * @throws AppError `invalid` for templates, conditions or a secret that are not allowed; `not_found` for the agent;
 *   `conflict` if the agent has its maximum of triggers.
 */
export async function createTrigger(
  control: Control,
  actor: Actor,
  agentId: string,
  request: CreateTriggerRequest,
): Promise<TriggerCreated> {
  const { organizationId } = actor;
  checkTemplates(request);
  const secret = chooseSecret(request.scheme, request.secret);
  const id = newId("trigger");
  const token = createTriggerToken();
  const trigger = {
    id,
    organizationId,
    agentId,
    tokenHash: token.hash,
    scheme: request.scheme,
    secret: secret === undefined ? null : seal(control, organizationId, id, secret),
    changedByKeyId: keyOf(actor),
    name: request.name?.trim() ?? null,
    textTemplate: request.text,
    sessionKey: request.session_key ?? null,
    eventId: request.event_id ?? null,
    conditions: request.when ?? [],
    missing: request.missing ?? "empty",
    includesBody: request.include_body ?? false,
    isBackground: request.lane === "background",
    status: request.status ?? "active",
  };
  await withAuditEntry(
    control,
    actor,
    async (inside) => {
      const max = limits.triggersPerAgent;
      const outcome = await triggers.insertTriggerIfBelow(inside.db, trigger, max);
      if (outcome === "no_agent") throw notFound("agent");
      if (outcome === "too_many") {
        throw new AppError("conflict", `limit reached: ${max} triggers per agent; delete one first`);
      }
    },
    () => ({ action: "trigger.create", target: id, details: { agent_id: agentId, scheme: request.scheme } }),
  );
  const record = await getTrigger(control, { organizationId, agentId, triggerId: id });
  const url = `${control.publicUrl}/v1/triggers/${token.plaintext}`;
  return { ...record, url, ...shownSecret(request.secret, secret) };
}

/** Returns null for a person in a browser. */
const keyOf = ({ keyId }: Actor): string | null => (isId("apiKey", keyId) ? keyId : null);

function seal(control: Control, organizationId: string, triggerId: string, secret: string): Buffer {
  return control.sealer.seal(secret, { organizationId, name: triggerSecretName(triggerId) });
}

/** A secret that the caller sent is not shown. */
function shownSecret(sent: string | undefined, used: string | undefined): { secret?: string } {
  return sent !== undefined || used === undefined ? {} : { secret: used };
}

const secretBytes = 32;
const standardKeyBytesMin = 16;

/** Returns undefined if the scheme has no secret, or its sender has not told it yet. @throws AppError `invalid` */
function chooseSecret(scheme: TriggerScheme, sent: string | undefined): string | undefined {
  if (scheme === "none" && sent !== undefined) throw invalidField("secret", "the scheme none has no secret");
  if (scheme === "standard-webhooks" && sent !== undefined) checkStandardSecret(sent);
  if (sent !== undefined) return sent;
  if (scheme === "github") return randomBytes(secretBytes).toString("base64url");
  return scheme === "standard-webhooks" ? `whsec_${randomBytes(secretBytes).toString("base64")}` : undefined;
}

function checkStandardSecret(secret: string): void {
  const isBase64 = /^(whsec_)?[A-Za-z0-9+/]+={0,2}$/.test(secret);
  if (isBase64 && decodeStandardSecret(secret).length >= standardKeyBytesMin) return;
  throw invalidField("secret", `expected at least ${standardKeyBytesMin} bytes as base64, with or without whsec_`);
}

function checkTemplates({ text, session_key: sessionKey, event_id: eventId, when }: UpdateTriggerRequest): void {
  if (text !== undefined) parseTemplate("text", text);
  if (typeof sessionKey === "string") parseTemplate("session_key", sessionKey);
  if (typeof eventId === "string") parseIdTemplate("event_id", eventId);
  checkConditions(when ?? []);
}

/** @throws AppError `not_found`; `invalid` as for creation. */
export async function updateTrigger(
  control: Control,
  actor: Actor,
  place: TriggerKey,
  request: UpdateTriggerRequest,
): Promise<TriggerRecord> {
  checkTemplates(request);
  const { lane, status } = request;
  const change = {
    name: request.name?.trim(),
    textTemplate: request.text,
    sessionKey: request.session_key,
    eventId: request.event_id,
    conditions: request.when,
    missing: request.missing,
    includesBody: request.include_body,
    isBackground: lane === undefined ? undefined : lane === "background",
    status,
    changedByKeyId: keyOf(actor),
  };
  await withAuditEntry(
    control,
    actor,
    async (inside) => {
      if (!(await triggers.updateTriggerIfFound(inside.db, place, change))) throw notFound("trigger");
    },
    () => ({
      action: "trigger.update",
      target: place.triggerId,
      details: { changed: Object.keys(request), ...(status === undefined ? {} : { status }) },
    }),
  );
  return getTrigger(control, place);
}

/** Keys per statement, and statements per call: a million keys, in statements of less than a second each. */
const deletionBounds = { rows: 5_000, piecesMax: 200 };

/**
 * Deletes a trigger. A failure before the end leaves it paused, and a repeated call continues.
 * @throws AppError `not_found`; `unavailable` if the trigger has more session keys than one call deletes.
 */
export async function deleteTrigger(control: Control, actor: Actor, place: TriggerKey): Promise<Deleted> {
  const emptied = await triggers.emptyTrigger(control.db, place, deletionBounds);
  if (emptied === "missing") throw notFound("trigger");
  if (emptied === "unfinished") {
    throw new AppError("unavailable", "the trigger is paused and has more session keys to delete; delete it again");
  }
  const deleted = await withAuditEntry(
    control,
    actor,
    (inside) => triggers.deleteTriggerIfFound(inside.db, place),
    (done) => (done ? { action: "trigger.delete", target: place.triggerId } : undefined),
  );
  if (!deleted) throw notFound("trigger");
  return { deleted: true, id: place.triggerId };
}

/**
 * Replaces the secret. The one before is accepted for another day, and earlier ones no longer.
 * @throws AppError `not_found`; `invalid` for a secret that is missing or not allowed; `conflict` for the scheme none.
 */
export async function rotateTriggerSecret(
  control: Control,
  actor: Actor,
  place: TriggerKey,
  request: RotateTriggerSecretRequest,
): Promise<TriggerSecretRotated> {
  const scheme = (await getTrigger(control, place)).scheme;
  if (scheme === "none") {
    const detail = "a trigger with the scheme none has no secret; to replace its URL, create another trigger";
    throw new AppError("conflict", detail);
  }
  const secret = chooseSecret(scheme, request.secret);
  if (secret === undefined) throw invalidField("secret", `expected the secret that ${scheme} shows for this URL`);
  const sealed = seal(control, actor.organizationId, place.triggerId, secret);
  const written = { secret: sealed, oldMs: limits.triggerOldSecretMs, changedByKeyId: keyOf(actor) };
  await withAuditEntry(
    control,
    actor,
    async (inside) => {
      if (!(await triggers.replaceSecretIfSigned(inside.db, place, written))) throw notFound("trigger");
    },
    () => ({ action: "trigger.rotate_secret", target: place.triggerId }),
  );
  return { ...(await getTrigger(control, place)), ...shownSecret(request.secret, secret) };
}
