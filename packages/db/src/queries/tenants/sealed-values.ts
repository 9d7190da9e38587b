// All sealed values of the installation, for a change of the master key. This file never opens them.

import { sql } from "kysely";
import type { Database } from "../../database.ts";

export interface SealedValue {
  /**
   * The id of a credential or a session, or of a trigger or an endpoint with a number. With the name, the place in the
   * iteration.
   */
  readonly ownerId: string;
  readonly name: string;
  readonly organizationId: string;
  readonly sealed: Buffer;
}

/**
 * Lists values that do not begin with `prefix`, in the order of their owners and names, after `after`. Credentials come
 * before secrets of sessions, those before secrets of triggers, and those before secrets of webhooks, as their ids do
 * (primary keys of the first two tables).
 */
export async function listSealedWithOtherKey(
  db: Database,
  prefix: Buffer,
  after: { readonly ownerId: string; readonly name: string },
  limit: number,
): Promise<SealedValue[]> {
  const result = await sql<SealedValue>`
    select * from ((select id collate "C" as "ownerId", name, organization_id as "organizationId", sealed
      from credentials
      where id collate "C" > ${after.ownerId} and substring(sealed from 1 for ${prefix.length}) <> ${prefix}
      order by 1 limit ${limit})
    union all
    (select session_id collate "C", name, organization_id, sealed from session_secrets
      where (session_id collate "C", name collate "C") > (${after.ownerId}, ${after.name})
        and substring(sealed from 1 for ${prefix.length}) <> ${prefix}
      order by session_id collate "C", name collate "C" limit ${limit})
    union all
    (select (t.id || '/' || x.number) collate "C", 'trigger:' || t.id, t.organization_id, x.sealed
      from triggers t cross join lateral (values (1, t.secret), (2, t.old_secret)) x (number, sealed)
      where (t.id || '/' || x.number) collate "C" > ${after.ownerId}
        and substring(x.sealed from 1 for ${prefix.length}) <> ${prefix}
      order by 1 limit ${limit})
    union all
    (select (endpoint_id || '/' || number) collate "C", 'webhook:' || endpoint_id, organization_id, sealed
      from webhook_secrets
      where (endpoint_id || '/' || number) collate "C" > ${after.ownerId}
        and substring(sealed from 1 for ${prefix.length}) <> ${prefix}
      order by 1 limit ${limit})) found
    order by "ownerId", name collate "C" limit ${limit}`.execute(db.kysely);
  return result.rows;
}

/**
 * Returns false if the value was replaced or deleted in the meantime. A trigger's secret is found by its value: a
 * rotation in the meantime makes it the old secret.
 */
export async function replaceSealedIfUnchanged(db: Database, value: SealedValue, sealed: Buffer): Promise<boolean> {
  const { ownerId, name } = value;
  const result = await sql<{ done: boolean }>`
    with credential as (
      update credentials set sealed = ${sealed} where id = ${ownerId} and sealed = ${value.sealed} returning 1),
    secret as (
      update session_secrets set sealed = ${sealed}
      where session_id = ${ownerId} and name = ${name} and sealed = ${value.sealed} returning 1),
    webhook as (
      update webhook_secrets set sealed = ${sealed} where endpoint_id = split_part(${ownerId}, '/', 1)
        and endpoint_id || '/' || number = ${ownerId} and sealed = ${value.sealed} returning 1),
    of_trigger as (
      update triggers set secret = case when secret = ${value.sealed} then ${sealed} else secret end,
          old_secret = case when old_secret = ${value.sealed} then ${sealed} else old_secret end
        where id = split_part(${ownerId}, '/', 1) and ${value.sealed} in (secret, old_secret)
        returning 1)
    select exists (select 1 from credential) or exists (select 1 from secret)
      or exists (select 1 from webhook) or exists (select 1 from of_trigger) as done`.execute(db.kysely);
  return result.rows[0]?.done ?? false;
}
