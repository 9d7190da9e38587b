-- Why: a statement that starts many sessions changes their organization's count once; and what each attempt has used at
-- its model is known of every attempt, not of the last one only; and schedules say which key is behind them.
-- Transaction: none. Each statement may be repeated; each table is locked by itself, because turns lock them in an
-- order of their own.
-- Locks: sessions, attempts and schedules for a moment each. It waits for transactions that write to them.
-- Breaking for the release before: no.

-- As count_session does (see 0018), of all that one statement adds.
create or replace function count_sessions_made() returns trigger language plpgsql security definer
  set search_path = dari, pg_temp as $$
declare
  v_added record;
begin
  for v_added in
    select m.organization_id as id, count(*) as sessions, coalesce(sum(h.total_bytes), 0) as bytes
    from made m left join snapshots h on h.id = m.head_snapshot_id
    where m.deleted_at is null group by m.organization_id order by m.organization_id
  loop
    perform 1 from organizations where id = v_added.id for key share;
    -- Who adds nothing waits for nobody.
    if v_added.bytes > 0 then
      update kept_counts set kept = kept + v_added.bytes
        where organization_id = v_added.id and kind = 'storage_bytes';
    end if;
    update kept_counts set kept = kept + v_added.sessions where organization_id = v_added.id and kind = 'sessions';
  end loop;
  return null;
end $$;

create or replace trigger count_made after insert on sessions referencing new table as made
  for each statement execute function count_sessions_made();

-- Null: none are known, or it ended before this was kept.
alter table attempts add column if not exists tokens bigint;

-- The key that has made or changed it last. Null: a person in a browser, or before this was kept.
alter table schedules add column if not exists changed_by_key_id text;
