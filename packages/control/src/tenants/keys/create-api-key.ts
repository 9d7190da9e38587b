// Creates an API key. Its plaintext is only in the reply.

import type { ApiKeyCreated, ApiKeyScope, CreateApiKeyRequest } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { apiKeys } from "@dari/db";
import { invalidField, newId } from "@dari/domain";
import { withAuditEntry } from "../audit/record-change.ts";
import { renderApiKey } from "../views/organization.ts";
import { createKeySecret } from "./key-secret.ts";

/** The scopes of a key if none are requested: all of the daily work, but no administration. */
const defaultScopes: readonly ApiKeyScope[] = ["deploy", "run", "read"];

const noRouting =
  "routing keys are not supported, because this platform has no model router. Agents call the model's provider: add " +
  "its key with `dari credentials add OPENAI_API_KEY`. For this API, create a key of type 'management'";

/** @throws AppError `invalid` if it would expire before it is used, and for a key of the hosted service's router. */
export async function createApiKey(
  control: Control,
  actor: Actor,
  request: CreateApiKeyRequest,
): Promise<ApiKeyCreated> {
  const expiresAt = request.expires_at === undefined ? undefined : new Date(request.expires_at);
  if (expiresAt !== undefined && !(expiresAt.getTime() > Date.now())) {
    throw invalidField("expires_at", "expected a time in the future");
  }
  if (request.key_type === "routing") throw invalidField("key_type", noRouting);
  const secret = createKeySecret();
  const key = {
    id: newId("apiKey"),
    organizationId: actor.organizationId,
    label: request.label.trim(),
    secretHash: secret.hash,
    scopes: request.scopes ?? defaultScopes,
    expiresAt,
    // Otherwise an admin could act as an owner with a key.
    managesOwners: actor.managesOwners ?? true,
    rates: {
      maxRequestsPerMinute: request.max_requests_per_minute ?? null,
      maxMessagesPerMinute: request.max_messages_per_minute ?? null,
      maxUploadBytesPerHour: request.max_upload_bytes_per_hour ?? null,
    },
  };
  const row = await withAuditEntry(
    control,
    actor,
    (inside) => apiKeys.insertApiKey(inside.db, key),
    ({ id, label, scopes }) => ({ action: "api_key.create", target: id, details: { label, scopes } }),
  );
  return { ...renderApiKey(row), api_key: secret.plaintext };
}
