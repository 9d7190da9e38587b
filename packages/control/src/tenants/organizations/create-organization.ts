// Creates an organization with its first admin key. Without that key, no caller could use the organization.

import type { CreateOrganizationRequest, OrganizationRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { apiKeys, organizations } from "@dari/db";
import { AppError, newId } from "@dari/domain";
import { withAuditEntry } from "../audit/record-change.ts";
import { createKeySecret } from "../keys/key-secret.ts";
import { renderOrganization } from "../views/organization.ts";
import { requireOperator } from "./operators.ts";

type CreatedOrganization = OrganizationRecord & { readonly api_key: string };

/**
 * Returns the record, and the plaintext of the organization's first admin key, shown once. While that key is valid, the
 * calling key can list the organization and get a key for it.
 * @throws AppError `forbidden` if only operators create organizations; `conflict` if the requested slug is taken.
 */
export async function createOrganization(
  control: Control,
  actor: Actor,
  request: CreateOrganizationRequest,
): Promise<CreatedOrganization> {
  if (control.organizationCreation === "operators") await requireOperator(control, actor);
  return create(control, actor, request, undefined);
}

/**
 * Creates an organization without an actor, for the installation's setup only. The first organization becomes an
 * operator, others on request.
 * @throws AppError as `createOrganization`.
 */
export async function setUpOrganization(
  control: Control,
  request: CreateOrganizationRequest & { readonly operator?: boolean },
): Promise<CreatedOrganization> {
  const { operator, ...rest } = request;
  return create(control, undefined, rest, operator === true ? "yes" : "first");
}

async function create(
  control: Control,
  actor: Actor | undefined,
  request: CreateOrganizationRequest,
  operator: "yes" | "first" | undefined,
): Promise<CreatedOrganization> {
  const id = newId("organization");
  const byItself = { organizationId: id, keyId: "", scopes: ["admin"] };
  return withAuditEntry(
    control,
    actor ?? byItself,
    async (inside) => {
      const row = await insert(inside, id, request, operator);
      const secret = createKeySecret();
      await apiKeys.insertApiKey(inside.db, {
        id: newId("apiKey"),
        organizationId: id,
        label: "first admin key",
        secretHash: secret.hash,
        scopes: byItself.scopes,
        creatorKeyId: actor?.keyId,
      });
      return { ...renderOrganization(row, byItself), api_key: secret.plaintext };
    },
    ({ name, slug, is_operator }) => ({
      action: "organization.create",
      target: id,
      details: { name, slug, is_operator },
    }),
  );
}

async function insert(
  control: Control,
  id: string,
  request: CreateOrganizationRequest,
  operator: "yes" | "first" | undefined,
) {
  const base = request.slug ?? slugOf(request.name);
  // A slug made from the name gets a suffix if it is taken. A requested one does not.
  const slugs = request.slug === undefined ? [base, `${base.slice(0, 50)}-${id.slice(-8)}`] : [base];
  for (const slug of slugs) {
    const row = await organizations.insertOrganizationIfSlugFree(control.db, {
      id,
      name: request.name.trim(),
      slug,
      ...(operator === undefined ? {} : { operator }),
    });
    if (row !== undefined) return row;
  }
  throw new AppError("conflict", `the slug '${base}' is taken; choose another one`);
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
