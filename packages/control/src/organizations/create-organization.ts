// Creates an organization together with its first admin key, without which nobody could ever act in it.

import type { CreateOrganizationRequest, OrganizationRecord } from "@dari/contract";
import { apiKeys, organizations } from "@dari/db";
import { AppError, newId } from "@dari/domain";
import type { Actor, Control } from "../context.ts";
import { createKeySecret } from "../keys/key-secret.ts";
import { renderOrganization } from "../views/organization.ts";

/**
 * The record, and the plaintext of the new organization's admin key, shown once.
 * @throws AppError `conflict` when the slug that was asked for is taken.
 */
export async function createOrganization(
  control: Control,
  request: CreateOrganizationRequest,
): Promise<OrganizationRecord & { api_key: string }> {
  const id = newId("organization");
  const base = request.slug ?? slugOf(request.name);
  // A slug made from the name gives way; one that was asked for does not.
  const slugs = request.slug === undefined ? [base, `${base.slice(0, 50)}-${id.slice(-8)}`] : [base];
  for (const slug of slugs) {
    const row = await organizations.insertOrganizationIfSlugFree(control.db, { id, name: request.name.trim(), slug });
    if (row === undefined) continue;
    const secret = createKeySecret();
    const key = await apiKeys.insertApiKey(control.db, {
      id: newId("apiKey"),
      organizationId: id,
      label: "first admin key",
      secretHash: secret.hash,
      scopes: ["admin"],
    });
    const owner: Actor = { organizationId: id, keyId: key.id, scopes: key.scopes };
    return { ...renderOrganization(row, owner), api_key: secret.plaintext };
  }
  throw new AppError("conflict", `the slug '${base}' is taken`);
}

function slugOf(name: string): string {
  const slug = name
    .normalize("NFKD")
    .replace(/\p{Mark}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 63)
    .replace(/-+$/, "");
  return slug === "" ? "organization" : slug;
}
