// What is in the object store, by the rows that refer to it: recorded, swept, checked.

import { sql } from "kysely";
import type { Database } from "../../database.ts";

export interface StoredObject {
  readonly objectKey: string;
  readonly sizeBytes: number;
  readonly references: readonly { readonly objectKey: string; readonly storedBytes: number }[];
}

/** Returns false if an object that this one references is being deleted: then no row may refer to it. Idempotent. */
export async function recordObjectIfReferencesKept(
  db: Database,
  organizationId: string,
  object: StoredObject,
): Promise<boolean> {
  const references = object.references.map(({ objectKey, storedBytes }) => ({ key: objectKey, bytes: storedBytes }));
  const result = await sql<{ kept: boolean }>`
    select record_object(p_organization => ${organizationId}, p_key => ${object.objectKey},
      p_bytes => ${object.sizeBytes}, p_references => ${JSON.stringify(references)}::jsonb) as kept`.execute(db.kysely);
  return result.rows[0]?.kept === true;
}

/**
 * Marks the objects that no row refers to, and returns how many are newly marked. A key that begins with the id of no
 * organization of this installation belongs to something else, and is not marked.
 */
export async function markUnreferenced(
  db: Database,
  objects: readonly { readonly key: string; readonly sizeBytes: number }[],
): Promise<number> {
  if (objects.length === 0) return 0;
  const result = await sql<{ key: string }>`
    with given as (
      select key, size_bytes, split_part(key, '/', 1) as organization_id from unnest(
        ${objects.map(({ key }) => key)}::text[], ${objects.map(({ sizeBytes }) => sizeBytes)}::bigint[])
        as g (key, size_bytes))
    insert into tombstones (object_key, organization_id, size_bytes)
      select key, organization_id, size_bytes from given g
      where exists (select 1 from organizations o where o.id = g.organization_id)
        and not is_named(key)
      on conflict (object_key) do nothing
    returning object_key as key`.execute(db.kysely);
  return result.rows.length;
}

/**
 * Dooms objects that were marked `afterMs` ago and are still unreferenced: from here on no row can refer to them.
 * Unmarks objects that are referenced again. Returns every doomed object that is not deleted yet.
 */
export async function scheduleMarkedForDeletion(
  db: Database,
  o: { afterMs: number; limit: number },
): Promise<string[]> {
  await sql`
    with due as (
      select object_key from tombstones where deleted_at is null and doomed_at is null
        and marked_at < clock_timestamp() - ${o.afterMs} * interval '1 millisecond'
      order by marked_at limit ${o.limit} for update skip locked)
    delete from tombstones t using due where t.object_key = due.object_key and is_named(t.object_key)`.execute(
    db.kysely,
  );
  const result = await sql<{ key: string }>`
    with due as (
      select object_key from tombstones where deleted_at is null
        and (doomed_at is not null or marked_at < clock_timestamp() - ${o.afterMs} * interval '1 millisecond')
      order by marked_at limit ${o.limit} for update skip locked)
    update tombstones t set doomed_at = coalesce(t.doomed_at, clock_timestamp()) from due
      where t.object_key = due.object_key and (t.doomed_at is not null or not is_named(t.object_key))
    returning t.object_key as key`.execute(db.kysely);
  return result.rows.map(({ key }) => key);
}

/**
 * Records that these objects are deleted, and releases what they referenced. No key is ever used again. A snapshot's
 * object, an image and a layer are remembered for `keepMs`: a running turn or build may have started with one. Other
 * keys can be forgotten.
 */
export async function recordDeletedObjects(db: Database, keys: readonly string[], keepMs: number): Promise<void> {
  await sql`update tombstones set deleted_at = clock_timestamp() where object_key = any(${keys}::text[])
    and doomed_at is not null`.execute(db.kysely);
  await sql`delete from snapshot_objects where object_key = any(${keys}::text[])`.execute(db.kysely);
  await sql`delete from tombstones where deleted_at is not null
    and (split_part(object_key, '/', 2) not in ('snapshots', 'images', 'layers')
      or deleted_at < clock_timestamp() - ${keepMs} * interval '1 millisecond')`.execute(db.kysely);
}

/** Returns where a sweep continues; undefined: at the beginning. */
export async function findCursor(db: Database, name: string): Promise<string | undefined> {
  const result = await sql<{ cursor: string | null }>`select cursor from sweeps where name = ${name}`.execute(
    db.kysely,
  );
  return result.rows[0]?.cursor ?? undefined;
}

export async function setCursor(db: Database, name: string, cursor: string | undefined): Promise<void> {
  await sql`insert into sweeps (name, cursor) values (${name}, ${cursor ?? null})
    on conflict (name) do update set cursor = excluded.cursor,
      started_at = case when excluded.cursor is null then clock_timestamp() else sweeps.started_at end`.execute(
    db.kysely,
  );
}

export interface ReferencedObject {
  readonly key: string;
  readonly what: "snapshot" | "content" | "file" | "value" | "bundle" | "image" | "layer";
  /** Null if no row has it. */
  readonly sizeBytes: number | null;
}

/** Lists objects that rows refer to, in the database's order of their keys, starting after `after`. */
export async function listReferenced(db: Database, after: string, limit: number): Promise<ReferencedObject[]> {
  const result = await sql<ReferencedObject>`
    select key, min(what) as what, max(size)::float8 as "sizeBytes" from (
      (select s.object_key as key, 'snapshot' as what, o.size_bytes as size
        from snapshots s left join snapshot_objects o on o.object_key = s.object_key
        where s.object_key > ${after} order by 1 limit ${limit})
      union all (select referenced_key, 'content', null from object_references
        where referenced_key > ${after} order by 1 limit ${limit})
      union all (select object_key, 'file', size_bytes from files
        where object_key > ${after} and deleted_at is null order by 1 limit ${limit})
      union all (select object_key, 'value', size_bytes from message_values
        where object_key > ${after} order by 1 limit ${limit})
      union all (select object_key, 'bundle', size_bytes from source_snapshots
        where object_key > ${after} and state = 'ready' order by 1 limit ${limit})
      union all (select image ->> 'objectKey', 'image', null from versions
        where image is not null and image ->> 'objectKey' > ${after} order by 1 limit ${limit})
      union all (select image -> 'layer' ->> 'objectKey', 'layer', null from versions
        where image -> 'layer' ->> 'objectKey' > ${after} order by 1 limit ${limit})
      union all (select layer ->> 'objectKey', 'layer', null from dependency_layers
        where layer is not null and layer ->> 'objectKey' > ${after} order by 1 limit ${limit})) named
    group by key order by key limit ${limit}`.execute(db.kysely);
  return result.rows;
}
