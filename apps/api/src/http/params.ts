// Reads the parameters of a path: ids by their prefix, names by the contract's rule.

import { credentialName, validate } from "@dari/contract";
import type { Actor } from "@dari/control/context";
import {
  agentIdFromWire,
  idPrefixes,
  invalidField,
  isAgentName,
  isId,
  limits,
  looksLikeAgentId,
  notFound,
  type IdKind,
} from "@dari/domain";

const kinds: Readonly<Record<string, { kind: IdKind; noun: string }>> = {
  organization_id: { kind: "organization", noun: "organization" },
  member_id: { kind: "member", noun: "member" },
  invitation_id: { kind: "invitation", noun: "invitation" },
  api_key_id: { kind: "apiKey", noun: "API key" },
  budget_id: { kind: "budget", noun: "budget" },
  version_id: { kind: "version", noun: "version" },
  trigger_id: { kind: "trigger", noun: "trigger" },
  source_snapshot_id: { kind: "sourceSnapshot", noun: "source snapshot" },
  schedule_id: { kind: "schedule", noun: "schedule" },
  session_batch_id: { kind: "sessionBatch", noun: "session batch" },
  session_id: { kind: "session", noun: "session" },
  message_id: { kind: "message", noun: "message" },
  file_id: { kind: "file", noun: "file" },
  value_id: { kind: "value", noun: "value" },
  webhook_endpoint_id: { kind: "webhookEndpoint", noun: "webhook endpoint" },
  webhook_delivery_id: { kind: "webhookDelivery", noun: "delivery" },
};

/**
 * Returns the parameters in the form that operations take. The caller may name any organization if
 * `isCrossOrganization`.
 * @throws AppError `invalid` for a wrong prefix, with the right one; `not_found` for what cannot be an id, and for
 *   another organization than the caller's.
 */
export function readParams(
  raw: Readonly<Record<string, unknown>>,
  actor: Actor | undefined,
  isCrossOrganization: boolean,
): Record<string, string> {
  const read = Object.entries(raw).map(([name, value]) => [
    name,
    readParam(name, String(value), actor, isCrossOrganization),
  ]);
  return Object.fromEntries(read) as Record<string, string>;
}

function readParam(name: string, value: string, actor: Actor | undefined, isCrossOrganization: boolean): string {
  if (name === "organization_id") return readOrganization(value, actor, isCrossOrganization);
  if (name === "name") return readCredentialName(value);
  if (name === "attempt_number") return readAttemptNumber(value);
  if (name === "agent_id") return readAgent(value);
  if (name === "call_id") return readCallId(value);
  if (name === "conversation_id") return readOpenAiId(name, value, "conv", "session", "conversation");
  if (name === "response_id") return readOpenAiId(name, value, "resp", "message", "response");
  // The operation looks it up by its hash, whatever its form.
  if (name === "trigger_token") return value;
  const known = kinds[name];
  if (known === undefined) throw new Error(`no rule reads the path parameter ${name}`);
  return readId(name, value, known);
}

function readId(name: string, value: string, { kind, noun }: { kind: IdKind; noun: string }): string {
  const prefix = `${idPrefixes[kind]}_`;
  if (!value.startsWith(prefix)) throw invalidField(name, `expected an id that starts with '${prefix}'`);
  if (!isId(kind, value)) throw notFound(noun);
  return value;
}

/** Returns the platform's own id: OpenAI's API shows the same ids with other prefixes. */
function readOpenAiId(name: string, value: string, prefix: string, kind: IdKind, noun: string): string {
  if (!value.startsWith(`${prefix}_`)) throw invalidField(name, `expected an id that starts with '${prefix}_'`);
  const id = `${idPrefixes[kind]}${value.slice(prefix.length)}`;
  if (!isId(kind, id)) throw notFound(noun);
  return id;
}

/** Returns an id in its `agt_` form, or a name, which `resolveAgentNames` replaces. */
function readAgent(value: string): string {
  const id = agentIdFromWire(value);
  if (looksLikeAgentId(value) ? !isId("agent", id) : !isAgentName(value)) throw notFound("agent");
  return id;
}

/** A key belongs to one organization. For all keys but an operator's, other organizations do not exist. */
function readOrganization(value: string, actor: Actor | undefined, isCrossOrganization: boolean): string {
  if (actor === undefined) throw new Error("a route that names an organization needs a key");
  if (value === "current") return actor.organizationId;
  const id = readId("organization_id", value, { kind: "organization", noun: "organization" });
  if (id !== actor.organizationId && !isCrossOrganization) throw notFound("organization");
  return id;
}

function readAttemptNumber(value: string): string {
  if (!/^[1-9][0-9]{0,6}$/.test(value))
    throw invalidField("attempt_number", "expected the number of an attempt, from 1");
  return value;
}

/** SDKs choose the ids of calls. */
function readCallId(value: string): string {
  if (value.length > limits.nameChars || value.includes("\0")) throw notFound("tool call");
  return value;
}

function readCredentialName(value: string): string {
  const [issue] = validate(credentialName, value);
  if (issue !== undefined) throw invalidField("name", issue.message);
  return value;
}
