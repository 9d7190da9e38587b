// Removes rows of deleted things. Each call is bounded, and the next one continues. The sweep of the store finds the
// objects that the rows referred to.

import { sql } from "kysely";
import { withTransaction, type Database } from "../../database.ts";

async function count(db: Database, statement: ReturnType<typeof sql>): Promise<number> {
  return Number((await statement.execute(db.kysely)).numAffectedRows ?? 0);
}

/** About how many events one statement deletes. The first session is always deleted, whatever its size. */
const purgedEventsMax = 200_000;

/** Removes sessions deleted `afterMs` ago with all their rows but the snapshots (index sessions_deleted). */
export function purgeSessions(db: Database, afterMs: number, limit: number): Promise<number> {
  return count(
    db,
    sql`with gone as (
      delete from sessions where id in (
        select id from sessions where id in (
          select id from (
            select id, sum(next_event_number) over (order by deleted_at, id) - next_event_number as events_before
            from (select id, deleted_at, next_event_number from sessions
              where deleted_at < clock_timestamp() - ${afterMs} * interval '1 millisecond' and schedule = 'idle'
              order by deleted_at limit ${limit}) due) counted
          where events_before < ${purgedEventsMax})
        for update skip locked)
      returning id, organization_id),
    budgets_gone as (
      delete from budgets b using gone where b.organization_id = gone.organization_id and b.target_id = gone.id)
    insert into purged_sessions (session_id, organization_id) select id, organization_id from gone
      on conflict (session_id) do nothing`,
  );
}

/**
 * Removes snapshots of such sessions, except those that a fork or a fork's message refers to, and all before them
 * (indexes snapshots_by_session, snapshots_by_parent, sessions_by_base, messages_copied_…). A session is checked again
 * until it has none.
 */
export async function purgeSnapshots(db: Database, limit: number): Promise<number> {
  const result = await sql<{ purged: number; looked: string[] }>`
    with recursive looked as (
      update purged_sessions set looked_at = clock_timestamp() where session_id in (
        select session_id from purged_sessions order by looked_at limit ${limit} for update skip locked)
      returning session_id),
    kept as (
      select s.id, s.parent_id from looked l join snapshots s on s.session_id = l.session_id
      where exists (select 1 from snapshots c where c.parent_id = s.id and c.session_id <> s.session_id)
        or exists (select 1 from sessions x where x.base_snapshot_id = s.id)
        or exists (select 1 from messages m where m.copied_from is not null and m.snapshot_id = s.id)
        or exists (select 1 from messages m where m.copied_from is not null and m.head_snapshot_id = s.id)
      union
      select p.id, p.parent_id from kept k join snapshots p on p.id = k.parent_id),
    gone as (
      delete from snapshots s using looked l
      where s.session_id = l.session_id and not exists (select 1 from kept k where k.id = s.id) returning s.id)
    select (select count(*)::int from gone) as purged, array(select session_id from looked) as looked`.execute(
    db.kysely,
  );
  const { purged = 0, looked = [] } = result.rows[0] ?? {};
  // A second statement: the one above changes these rows, and sees the snapshots as they were.
  await sql`delete from purged_sessions p where session_id = any(${looked}::text[])
    and not exists (select 1 from snapshots s where s.session_id = p.session_id)`.execute(db.kysely);
  return purged;
}

/** Removes agents deleted `afterMs` ago that no session uses, with their versions (index agents_deleted). */
export function purgeAgents(db: Database, afterMs: number, limit: number): Promise<number> {
  return count(
    db,
    sql`delete from agents where id in (
      select a.id from agents a where a.deleted_at < clock_timestamp() - ${afterMs} * interval '1 millisecond'
        and not exists (select 1 from sessions s where s.agent_id = a.id) limit ${limit})`,
  );
}

/** A version of `dari dev` that nothing uses. */
const unusedDevVersion = sql<boolean>`v.state <> 'building'
  and exists (select 1 from source_snapshots b where b.id = v.source_snapshot_id and b.metadata @> '{"dari_dev": true}')
  and not exists (select 1 from agents a where a.id = v.agent_id and a.active_version_id = v.id)
  and not exists (select 1 from sessions s where s.agent_id = v.agent_id and s.version_id = v.id)`;

/**
 * Removes versions that `dari dev` published `afterMs` ago, if they are not active and no session uses them. The second
 * statement sees what was committed before the first one locked the rows; after that, nothing can begin to use them.
 */
export function purgeDevVersions(db: Database, afterMs: number, limit: number): Promise<number> {
  return withTransaction(db, async (tx) => {
    const { rows } = await sql<{ id: string }>`select v.id from versions v
      where v.created_at < clock_timestamp() - ${afterMs} * interval '1 millisecond' and ${unusedDevVersion}
      order by v.created_at limit ${limit} for update of v skip locked`.execute(tx);
    const ids = rows.map(({ id }) => id);
    if (ids.length === 0) return 0;
    const deleted = await sql`delete from versions v where v.id = any(${ids}::text[]) and ${unusedDevVersion}`.execute(
      tx,
    );
    return Number(deleted.numAffectedRows ?? 0);
  });
}

/**
 * Removes uploaded bundles that no version uses: those that never became ready, and those of deleted organizations,
 * after `afterMs`; the rest after `unusedMs`.
 */
export function purgeSourceSnapshots(
  db: Database,
  o: { afterMs: number; unusedMs: number; limit: number },
): Promise<number> {
  return count(
    db,
    sql`delete from source_snapshots where id in (
      select b.id from source_snapshots b
      where b.created_at < clock_timestamp() - ${o.afterMs} * interval '1 millisecond'
        and b.upload_expires_at < clock_timestamp() - ${o.afterMs} * interval '1 millisecond'
        and (b.state <> 'ready' or b.created_at < clock_timestamp() - ${o.unusedMs} * interval '1 millisecond'
          or exists (select 1 from organizations g where g.id = b.organization_id and g.deleted_at is not null))
        and not exists (select 1 from versions v where v.source_snapshot_id = b.id)
      order by b.created_at limit ${o.limit})`,
  );
}

/** Removes files deleted `afterMs` ago that no future turn needs (index files_deleted). */
export function purgeFiles(db: Database, afterMs: number, limit: number): Promise<number> {
  return count(
    db,
    sql`delete from files where id in (
      select id from files where deleted_at < clock_timestamp() - ${afterMs} * interval '1 millisecond'
        and not is_awaited(id) order by deleted_at limit ${limit})`,
  );
}
