// Sessions that expire, that end with their organization, or that are unstored (`store: false`). Each call is bounded,
// and the next one continues.

import { sql, type RawBuilder } from "kysely";
import type { Database } from "../../database.ts";

export interface OwnedSession {
  readonly organizationId: string;
  readonly sessionId: string;
}

/** Lists sessions of deleted organizations (indexes organizations_deleted, sessions_by_organization). */
export async function listSessionsOfDeleted(db: Database, limit: number): Promise<OwnedSession[]> {
  const result = await sql<OwnedSession>`
    select s.organization_id as "organizationId", s.id as "sessionId"
    from organizations o join sessions s on s.organization_id = o.id and s.deleted_at is null
    where o.deleted_at is not null limit ${limit}`.execute(db.kysely);
  return result.rows;
}

export interface RetentionPass {
  readonly expired: number;
  readonly deleted: number;
  /**
   * Where the next pass continues: an organization, a slash, and the last checked session, or nothing if that was its
   * last. Undefined: at the beginning.
   */
  readonly next: string | undefined;
}

/**
 * Checks the next sessions of one organization with a retention (index sessions_by_organization): sessions without
 * activity for that many days are expired, and deleted `graceDays` later, unless there was activity in the meantime.
 */
export async function expireIdleSessions(
  db: Database,
  o: { readonly after: string | undefined; readonly graceDays: number; readonly limit: number },
): Promise<RetentionPass> {
  const [organizationId = "", sessionId = ""] = (o.after ?? "").split("/");
  const found = await sql<{ id: string; days: number }>`
    select id, session_retention_days as days from organizations
    where session_retention_days is not null and deleted_at is null
      and (id > ${organizationId} or id = ${organizationId} and ${sessionId} <> '')
    order by id limit 1`.execute(db.kysely);
  const owner = found.rows[0];
  if (owner === undefined) return { expired: 0, deleted: 0, next: undefined };
  const afterSession = owner.id === organizationId ? sessionId : "";
  const result = await sql<{ seen: number; last: string | null; expired: number; deleted: number }>`
    with looked as (
      select id from sessions where organization_id = ${owner.id} and deleted_at is null and id > ${afterSession}
      order by id limit ${o.limit}),
    idle as (
      select s.id, s.state, clock_timestamp() - greatest(s.created_at, m.completed_at, h.created_at) as unused
      from looked l join sessions s on s.id = l.id
      left join messages m on m.id = s.last_message_id left join snapshots h on h.id = s.head_snapshot_id
      where s.schedule = 'idle' and s.deleted_at is null for no key update of s skip locked),
    gone as (
      update sessions s set deleted_at = clock_timestamp() from idle i
      where s.id = i.id and s.schedule = 'idle'
        and i.unused > ${owner.days + o.graceDays} * interval '1 day' returning s.id),
    expired as (
      update sessions s set state = 'expired', ended_at = clock_timestamp(), next_event_number = next_event_number + 1
      from idle i where s.id = i.id and s.schedule = 'idle' and s.state = 'open'
        and i.unused > ${owner.days} * interval '1 day' and not exists (select 1 from gone g where g.id = s.id)
      returning s.id, s.organization_id, s.next_event_number - 1 as n),
    noted as (
      insert into events (session_id, sequence_number, organization_id, type, data)
      select id, n, organization_id, 'session.status_changed', '{"status": "expired"}'::jsonb from expired)
    select (select count(*)::int from looked) as seen, (select max(id) from looked) as last,
      (select count(*)::int from expired) as expired, (select count(*)::int from gone) as deleted`.execute(db.kysely);
  const { seen = 0, last = null, expired = 0, deleted = 0 } = result.rows[0] ?? {};
  return { expired, deleted, next: `${owner.id}/${seen < o.limit ? "" : (last ?? "")}` };
}

/** Recordings per statement. Each has at most 1,000 answers. */
const recordingsPerPiece = 20;

/** Deletes up to `limit` expired recordings with their answers, in bounded statements. Returns how many. */
export async function expireRecordings(db: Database, limit: number): Promise<number> {
  let expired = 0;
  for (let more = true; more && expired < limit;) {
    const result = await sql`delete from recordings where (session_id, message_id) in (
      select session_id, message_id from recordings where expires_at <= clock_timestamp()
      order by expires_at limit ${recordingsPerPiece} for update skip locked)`.execute(db.kysely);
    const deleted = Number(result.numAffectedRows ?? 0);
    expired += deleted;
    more = deleted === recordingsPerPiece;
  }
  return expired;
}

/** Marks the session of a message as unstored, and files that were sent in the message as the session's. */
export async function markUnstored(
  db: Database,
  o: { readonly organizationId: string; readonly messageId: string; readonly fileIds: readonly string[] },
): Promise<void> {
  await sql`
    with marked as (
      update sessions s set is_unstored = true from messages m
      where m.id = ${o.messageId} and m.organization_id = ${o.organizationId} and s.id = m.session_id returning s.id)
    update files f set session_id = marked.id from marked
    where f.id = any (${[...o.fileIds]}) and f.organization_id = ${o.organizationId}`.execute(db.kysely);
}

/** How long after the end of its turn an unstored session is deleted. */
const unstoredAfterMs = 600_000;
/** How long after its creation an unstored session is deleted, whatever its turn does. Turns can take days. */
const unstoredAtMostMs = 7 * 86_400_000;

export interface UnstoredSession extends OwnedSession {
  /** The files that were sent in its message. */
  readonly fileIds: readonly string[];
}

/** Lists unstored sessions that no process has deleted in time (index sessions_unstored). */
export async function listUnstored(db: Database, limit: number): Promise<UnstoredSession[]> {
  const result = await sql<UnstoredSession>`
    select s.organization_id as "organizationId", s.id as "sessionId",
      array(select f.id from session_inputs i
        join files f on f.id = i.file_id and f.session_id = s.id and f.deleted_at is null
        where i.session_id = s.id) as "fileIds"
    from sessions s left join messages m on m.id = s.last_message_id
    where s.is_unstored and s.deleted_at is null
      and (s.created_at < clock_timestamp() - ${unstoredAtMostMs} * interval '1 millisecond'
        or s.schedule = 'idle' and m.completed_at < clock_timestamp() - ${unstoredAfterMs} * interval '1 millisecond')
    order by s.created_at limit ${limit}`.execute(db.kysely);
  return result.rows;
}

/** Lists organizations deleted `afterMs` ago that own something besides sessions, the longest deleted first. */
export async function listDeletedOrganizations(db: Database, afterMs: number, limit: number): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select id from organizations o
    where deleted_at < clock_timestamp() - ${afterMs} * interval '1 millisecond' and (name <> '' or exists (
        select 1 from agents a where a.organization_id = o.id and a.deleted_at is null) or exists (
        select 1 from files f where f.organization_id = o.id and f.deleted_at is null))
    order by deleted_at limit ${limit}`.execute(db.kysely);
  return rows.map(({ id }) => id);
}

interface Owned {
  readonly table: string;
  /** Marked as deleted, as by a client. Its references are purged later. */
  readonly isMarked?: true;
  /** Rows per statement; fewer for rows with many dependents. */
  readonly rows: number;
}

/** In this order, so that numerous rows are deleted before the rows they depend on. */
const owned: readonly Owned[] = [
  { table: "members", rows: 100 },
  { table: "invitations", rows: 1_000 },
  { table: "credentials", rows: 1_000 },
  { table: "api_keys", rows: 1_000 },
  { table: "webhook_secrets", rows: 1_000 },
  { table: "webhook_endpoints", rows: 1_000, isMarked: true },
  { table: "schedule_firings", rows: 1_000 },
  { table: "schedules", rows: 100 },
  { table: "trigger_sessions", rows: 1_000 },
  { table: "triggers", rows: 1_000 },
  // Each has at most 1,000 items.
  { table: "session_batches", rows: 10 },
  { table: "idempotency_keys", rows: 1_000 },
  { table: "agents", rows: 1_000, isMarked: true },
  { table: "files", rows: 1_000, isMarked: true },
];

/**
 * Deletes up to `piecesMax` bounded pieces of what a deleted organization owns besides sessions: members and secrets
 * are removed, agents and files are deleted as by a client. Each piece is one statement. Returns true if nothing is
 * left. The organization's name is deleted last, so that an unfinished one is found again.
 */
export async function emptyDeletedOrganization(db: Database, id: string, piecesMax: number): Promise<boolean> {
  let pieces = 0;
  for (const each of owned) {
    for (let taken = each.rows; taken === each.rows; pieces += 1) {
      if (pieces >= piecesMax) return false;
      taken = await takePiece(db, id, each);
    }
  }
  // False while rows are left that changed at the same time, or that a running call has added.
  const isLeft = owned.map((each) => sql`exists (select 1 from ${sql.table(each.table)} where ${isOwnedBy(id, each)})`);
  const unnamed = await sql`update organizations set name = '', slug = id
    where id = ${id} and deleted_at is not null and not (${sql.join(isLeft, sql` or `)})`.execute(db.kysely);
  return unnamed.numAffectedRows === 1n;
}

function isOwnedBy(organizationId: string, { isMarked }: Owned): RawBuilder<unknown> {
  const live = isMarked === true ? sql`and deleted_at is null` : sql``;
  return sql`organization_id = ${organizationId} ${live}`;
}

async function takePiece(db: Database, organizationId: string, each: Owned): Promise<number> {
  const { isMarked, rows } = each;
  const name = sql.table(each.table);
  const take = isMarked === true ? sql`update ${name} set deleted_at = clock_timestamp()` : sql`delete from ${name}`;
  const result = await sql`${take} where ctid = any (array (
    select ctid from ${name} where ${isOwnedBy(organizationId, each)} limit ${rows}))`.execute(db.kysely);
  return Number(result.numAffectedRows ?? 0);
}
