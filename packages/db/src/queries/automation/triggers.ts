// Triggers: URLs that turn events of other services into messages, and the sessions that their keys lead to. This file
// never opens their sealed secrets.

import { sql } from "kysely";
import { withTransaction, type Database } from "../../database.ts";
import { listNewestFirst, type ListPage, type Page } from "../context/page.ts";

export interface TriggerKey {
  readonly organizationId: string;
  readonly agentId: string;
  readonly triggerId: string;
}

/** What the owner sets. */
export interface TriggerSettings {
  readonly name: string | null;
  readonly textTemplate: string;
  /** Null: each event gets a new session. */
  readonly sessionKey: string | null;
  /** Null: the scheme's own id. */
  readonly eventId: string | null;
  readonly conditions: unknown;
  readonly missing: "empty" | "refuse";
  readonly includesBody: boolean;
  readonly isBackground: boolean;
  readonly status: "active" | "paused";
}

export interface NewTrigger extends TriggerSettings {
  readonly id: string;
  readonly organizationId: string;
  readonly agentId: string;
  readonly tokenHash: Buffer;
  readonly scheme: string;
  /** Sealed. */
  readonly secret: Buffer | null;
  readonly changedByKeyId: string | null;
}

export interface TriggerRow extends TriggerSettings {
  readonly id: string;
  readonly agentId: string;
  readonly scheme: string;
  readonly hasSecret: boolean;
  /** Null: no old secret is accepted. */
  readonly oldSecretExpiresAt: Date | null;
  readonly changedByKeyId: string | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

const settings = [
  "t.name",
  "t.text_template as textTemplate",
  "t.session_key as sessionKey",
  "t.event_id as eventId",
  "t.conditions",
  sql<TriggerSettings["missing"]>`t.missing`.as("missing"),
  "t.includes_body as includesBody",
  "t.is_background as isBackground",
  sql<TriggerSettings["status"]>`t.status`.as("status"),
] as const;

function select(kysely: Database["kysely"], organizationId: string, agentId: string) {
  return kysely
    .selectFrom("triggers as t")
    .innerJoin("agents as a", "a.id", "t.agent_id")
    .where("a.deleted_at", "is", null)
    .where("t.organization_id", "=", organizationId)
    .where("t.agent_id", "=", agentId)
    .select([
      "t.id",
      "t.agent_id as agentId",
      "t.scheme",
      ...settings,
      sql<boolean>`t.secret is not null`.as("hasSecret"),
      sql<Date | null>`case when t.old_secret_expires_at > clock_timestamp() then t.old_secret_expires_at end`.as(
        "oldSecretExpiresAt",
      ),
      "t.changed_by_key_id as changedByKeyId",
      "t.created_at as createdAt",
      "t.updated_at as updatedAt",
    ]);
}

/**
 * `no_agent`: the agent is not the organization's, or is deleted; `too_many`: the agent has `max` triggers. Locks the
 * organization's row, so calls of one organization run one after the other.
 */
export async function insertTriggerIfBelow(
  db: Database,
  trigger: NewTrigger,
  max: number,
): Promise<"created" | "no_agent" | "too_many"> {
  const { organizationId, agentId } = trigger;
  return withTransaction(db, async (tx) => {
    await sql`select 1 from organizations where id = ${organizationId} for no key update`.execute(tx);
    const found = await sql<{ count: number; agent: boolean }>`
      select (select count(*) from triggers where agent_id = ${agentId}
          and organization_id = ${organizationId})::int as count,
        exists (select 1 from agents where id = ${agentId} and organization_id = ${organizationId}
          and deleted_at is null) as agent`.execute(tx);
    const { count = 0, agent = false } = found.rows[0] ?? {};
    if (!agent) return "no_agent";
    if (count >= max) return "too_many";
    await tx
      .insertInto("triggers")
      .values({
        id: trigger.id,
        organization_id: organizationId,
        agent_id: agentId,
        token_hash: trigger.tokenHash,
        scheme: trigger.scheme,
        secret: trigger.secret,
        changed_by_key_id: trigger.changedByKeyId,
        ...columnsOf(trigger),
        text_template: trigger.textTemplate,
      })
      .execute();
    return "created";
  });
}

type Changed = { readonly [Name in keyof TriggerSettings]?: TriggerSettings[Name] | undefined };

/** Undefined columns are not written. */
function columnsOf(trigger: Changed) {
  return {
    name: trigger.name,
    text_template: trigger.textTemplate,
    session_key: trigger.sessionKey,
    event_id: trigger.eventId,
    conditions: trigger.conditions === undefined ? undefined : JSON.stringify(trigger.conditions),
    missing: trigger.missing,
    includes_body: trigger.includesBody,
    is_background: trigger.isBackground,
    status: trigger.status,
  };
}

/** Finds a trigger by primary key. Those of deleted agents are not found. */
export async function findTrigger(db: Database, place: TriggerKey): Promise<TriggerRow | undefined> {
  return select(db.kysely, place.organizationId, place.agentId).where("t.id", "=", place.triggerId).executeTakeFirst();
}

/** Lists an agent's triggers, newest first (index triggers_by_agent). */
export function listTriggers(
  db: Database,
  { organizationId, agentId }: Omit<TriggerKey, "triggerId">,
  page: Page,
): Promise<ListPage<TriggerRow> | undefined> {
  const bytes = sql<number>`octet_length(t.text_template) + octet_length(t.conditions::text)`;
  const query = select(db.kysely, organizationId, agentId);
  return listNewestFirst(db, { table: "triggers", organizationId, page, id: "t.id", bytes }, query);
}

/** Undefined fields do not change. Returns false if there is no such trigger, or its agent is deleted. */
export async function updateTriggerIfFound(
  db: Database,
  place: TriggerKey,
  change: Changed & { readonly changedByKeyId: string | null },
): Promise<boolean> {
  const result = await db.kysely
    .updateTable("triggers")
    .set({
      ...columnsOf(change),
      changed_by_key_id: change.changedByKeyId,
      updated_at: sql<Date>`clock_timestamp()`,
    })
    .where("id", "=", place.triggerId)
    .where("agent_id", "=", place.agentId)
    .where("organization_id", "=", place.organizationId)
    .where(sql<boolean>`exists (select 1 from agents a where a.id = agent_id and a.deleted_at is null)`)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

/**
 * Prepares the deletion: pauses the trigger, so that hardly any keys are added, and deletes up to `piecesMax` pieces of
 * `rows` of its keys, one statement each. Deleting the trigger deletes the few that are left. Can be repeated.
 * `unfinished`: there are more keys; `missing`: there is no such trigger.
 */
export async function emptyTrigger(
  db: Database,
  place: TriggerKey,
  { rows, piecesMax }: { readonly rows: number; readonly piecesMax: number },
): Promise<"emptied" | "unfinished" | "missing"> {
  const { organizationId, agentId, triggerId } = place;
  const paused = await sql`update triggers set status = 'paused' where id = ${triggerId} and agent_id = ${agentId}
    and organization_id = ${organizationId}`.execute(db.kysely);
  if (paused.numAffectedRows !== 1n) return "missing";
  for (let piece = 0; piece < piecesMax; piece += 1) {
    const deleted = await sql`delete from trigger_sessions where trigger_id = ${triggerId} and key_digest in (
      select key_digest from trigger_sessions where trigger_id = ${triggerId}
      order by key_digest limit ${rows})`.execute(db.kysely);
    if ((deleted.numAffectedRows ?? 0n) < BigInt(rows)) return "emptied";
  }
  return "unfinished";
}

/** Deletes it. Sessions that it started stay. Returns false if there is none. */
export async function deleteTriggerIfFound(db: Database, place: TriggerKey): Promise<boolean> {
  const result = await sql`delete from triggers where id = ${place.triggerId} and agent_id = ${place.agentId}
    and organization_id = ${place.organizationId}`.execute(db.kysely);
  return result.numAffectedRows === 1n;
}

/**
 * Replaces the secret. The one before is accepted for `oldMs` more, and no earlier one. Returns false if there is no
 * such trigger, or its scheme is none.
 */
export async function replaceSecretIfSigned(
  db: Database,
  place: TriggerKey,
  { secret, oldMs, changedByKeyId }: { secret: Buffer; oldMs: number; changedByKeyId: string | null },
): Promise<boolean> {
  const result = await sql`
    update triggers set secret = ${secret}, old_secret = secret,
      old_secret_expires_at = case when secret is not null
        then clock_timestamp() + ${oldMs} * interval '1 millisecond' end,
      changed_by_key_id = ${changedByKeyId}, updated_at = clock_timestamp()
    where id = ${place.triggerId} and agent_id = ${place.agentId} and organization_id = ${place.organizationId}
      and scheme <> 'none'`.execute(db.kysely);
  return result.numAffectedRows === 1n;
}

/** Erases old secrets that are no longer accepted. Scans all triggers. */
export async function eraseExpiredOldSecrets(db: Database): Promise<void> {
  await sql`update triggers set old_secret = null, old_secret_expires_at = null
    where old_secret_expires_at <= clock_timestamp()`.execute(db.kysely);
}

/** A trigger as its events need it, with all sealed secrets that are accepted now. */
export interface ReceivingTrigger extends TriggerSettings {
  readonly id: string;
  readonly organizationId: string;
  readonly agentId: string;
  readonly scheme: string;
  readonly secrets: readonly Buffer[];
  readonly tokenHash: Buffer;
}

/**
 * Finds triggers by the hashes of their tokens (unique index on token_hash). Leaves out those of deleted agents and
 * organizations.
 */
export async function listTriggersByToken(db: Database, hashes: readonly Buffer[]): Promise<ReceivingTrigger[]> {
  return db.kysely
    .selectFrom("triggers as t")
    .innerJoin("agents as a", "a.id", "t.agent_id")
    .innerJoin("organizations as o", "o.id", "t.organization_id")
    .where("t.token_hash", "in", hashes)
    .where("a.deleted_at", "is", null)
    .where("o.deleted_at", "is", null)
    .select([
      "t.id",
      "t.organization_id as organizationId",
      "t.agent_id as agentId",
      "t.scheme",
      ...settings,
      sql<Buffer[]>`array_remove(array[t.secret,
        case when t.old_secret_expires_at > clock_timestamp() then t.old_secret end], null)`.as("secrets"),
      "t.token_hash as tokenHash",
    ])
    .execute();
}

/**
 * Returns the trigger's status, or undefined if it does not exist. It cannot be deleted before the transaction ends
 * (primary key).
 */
export async function holdTrigger(
  db: Database,
  { organizationId, triggerId }: Omit<TriggerKey, "agentId">,
): Promise<TriggerSettings["status"] | undefined> {
  const result = await sql<{ status: TriggerSettings["status"] }>`select status from triggers
    where id = ${triggerId} and organization_id = ${organizationId} for key share`.execute(db.kysely);
  return result.rows[0]?.status;
}

export interface KeyedSession {
  readonly organizationId: string;
  readonly triggerId: string;
  readonly keyDigest: Buffer;
  /** The id of the session that the caller creates if this key has none that accepts messages. */
  readonly newSessionId: string;
}

/**
 * Returns the id of the key's session, or `newSessionId` if the caller must create it in this transaction. The key's
 * row is locked until then: of two events with a new key at the same time, the second waits for the session of the
 * first (primary key). The session found is locked, so that it accepts this transaction's message. One that has ended,
 * was deleted, or whose version failed to build is replaced.
 */
export async function reserveSessionOfKey(db: Database, key: KeyedSession): Promise<string> {
  const { organizationId, triggerId, keyDigest, newSessionId } = key;
  return withTransaction(db, async (tx) => {
    const taken = await sql<{ sessionId: string }>`
      insert into trigger_sessions as k (trigger_id, key_digest, organization_id, session_id)
        values (${triggerId}, ${keyDigest}, ${organizationId}, ${newSessionId})
        on conflict (trigger_id, key_digest) do update set session_id = k.session_id
      returning session_id as "sessionId"`.execute(tx);
    const { sessionId } = taken.rows[0]!;
    if (sessionId === newSessionId) return newSessionId;
    const usable = await sql`select 1 from sessions s where s.id = ${sessionId}
      and s.organization_id = ${organizationId} and s.state = 'open' and s.deleted_at is null
      and not exists (select 1 from versions v where v.id = s.version_id and v.state = 'failed')
      for no key update of s`.execute(tx);
    if (usable.rows.length === 1) return sessionId;
    await sql`update trigger_sessions set session_id = ${newSessionId}
      where trigger_id = ${triggerId} and key_digest = ${keyDigest}`.execute(tx);
    return newSessionId;
  });
}
