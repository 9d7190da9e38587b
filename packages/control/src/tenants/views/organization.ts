// Renders organizations, keys, members and credentials for clients. No field is a secret.

import type {
  ApiKeyRecord,
  ApiKeyScope,
  CredentialRecord,
  InvitationRecord,
  MemberRecord,
  OrganizationRecord,
  Role,
} from "@dari/contract";
import type { Actor } from "@dari/control/context";
import type { ApiKeyRow, CredentialRow, InvitationRow, KeyRates, MemberRow, OrganizationRow } from "@dari/db";

/** `role`: the calling person's, or the equivalent of the calling key. */
export function renderOrganization(row: OrganizationRow, actor: Actor): OrganizationRecord {
  return {
    id: row.id,
    name: row.name,
    slug: row.slug,
    role: actor.person?.role ?? (actor.scopes.includes("admin") ? "admin" : "member"),
    is_operator: row.isOperator,
    ...renderLimits(row),
    created_at: row.createdAt.toISOString(),
  };
}

/** Limits that operators set, for clients and the audit log. */
export function renderLimits({
  id: _id,
  name: _name,
  slug: _slug,
  isOperator: _op,
  createdAt: _at,
  ...limits
}: OrganizationRow) {
  return limits;
}

function renderRates(rates: KeyRates) {
  return {
    max_requests_per_minute: rates.maxRequestsPerMinute,
    max_messages_per_minute: rates.maxMessagesPerMinute,
    max_upload_bytes_per_hour: rates.maxUploadBytesPerHour,
  };
}

export function renderApiKey(row: ApiKeyRow): ApiKeyRecord {
  return {
    id: row.id,
    label: row.label,
    scopes: row.scopes as ApiKeyScope[],
    created_at: row.createdAt.toISOString(),
    expires_at: row.expiresAt?.toISOString() ?? null,
    last_used_at: row.lastUsedAt?.toISOString() ?? null,
    ...renderRates(row),
  };
}

export function renderMember(row: MemberRow): MemberRecord {
  return {
    id: row.id,
    email: row.email,
    role: row.role as Role,
    last_signed_in_at: row.lastSignedInAt?.toISOString() ?? null,
    created_at: row.createdAt.toISOString(),
  };
}

export function renderInvitation(row: InvitationRow): InvitationRecord {
  return {
    id: row.id,
    email: row.email,
    role: row.role as Role,
    expires_at: row.expiresAt.toISOString(),
    created_at: row.createdAt.toISOString(),
  };
}

export function renderCredential(row: CredentialRow): CredentialRecord {
  return {
    id: row.id,
    name: row.name,
    hosts: row.hosts,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}
