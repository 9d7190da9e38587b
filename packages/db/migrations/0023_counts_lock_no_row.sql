-- Why: an organization's row was locked, and so written, by every turn that changed its session's files: its concurrent
-- turns kept lists of who holds it. Whoever changes what is counted now shares an advisory lock of the organization.
-- Locks: none that turns would wait for.
-- Breaking for the release before: no. A bound that it sets in the moment of the migration may miss what is just being
-- added; the reconciler's next look puts that right.

-- Before the count is read: whoever begins to count has the lock alone (see recount), so that it sees what those before
-- it have changed, and those after it see the count.
create or replace function count_session() returns trigger language plpgsql security definer
  set search_path = dari, pg_temp as $$
declare
  v_was boolean := tg_op <> 'INSERT' and old.deleted_at is null;
  v_is boolean := tg_op <> 'DELETE' and new.deleted_at is null;
  v_organization text := case tg_op when 'DELETE' then old.organization_id else new.organization_id end;
  v_more bigint;
begin
  perform pg_advisory_xact_lock_shared(hashtext('dari kept counts'), hashtext(v_organization));
  if exists (select 1 from kept_counts where organization_id = v_organization and kind = 'storage_bytes') then
    v_more := case when v_is then
        coalesce((select total_bytes from snapshots where id = new.head_snapshot_id), 0) else 0 end
      - case when v_was then
        coalesce((select total_bytes from snapshots where id = old.head_snapshot_id), 0) else 0 end;
    -- Who adds nothing waits for nobody.
    if v_more <> 0 then
      update kept_counts set kept = kept + v_more where organization_id = v_organization and kind = 'storage_bytes';
    end if;
  end if;
  if v_is <> v_was then
    update kept_counts set kept = kept + v_is::int - v_was::int
      where organization_id = v_organization and kind = 'sessions';
  end if;
  return null;
end $$;

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
    perform pg_advisory_xact_lock_shared(hashtext('dari kept counts'), hashtext(v_added.id));
    -- Who adds nothing waits for nobody.
    if v_added.bytes > 0 then
      update kept_counts set kept = kept + v_added.bytes
        where organization_id = v_added.id and kind = 'storage_bytes';
    end if;
    update kept_counts set kept = kept + v_added.sessions where organization_id = v_added.id and kind = 'sessions';
  end loop;
  return null;
end $$;

create or replace function count_file() returns trigger language plpgsql security definer
  set search_path = dari, pg_temp as $$
declare
  v_was boolean := tg_op <> 'INSERT' and old.deleted_at is null;
  v_is boolean := tg_op <> 'DELETE' and new.deleted_at is null;
  v_organization text := case tg_op when 'DELETE' then old.organization_id else new.organization_id end;
begin
  perform pg_advisory_xact_lock_shared(hashtext('dari kept counts'), hashtext(v_organization));
  update kept_counts set kept = kept + case when v_is then new.size_bytes else 0 end
      - case when v_was then old.size_bytes else 0 end
    where organization_id = v_organization and kind = 'storage_bytes';
  return null;
end $$;

create or replace function count_bundle() returns trigger language plpgsql security definer
  set search_path = dari, pg_temp as $$
declare
  v_organization text := case tg_op when 'DELETE' then old.organization_id else new.organization_id end;
begin
  perform pg_advisory_xact_lock_shared(hashtext('dari kept counts'), hashtext(v_organization));
  update kept_counts set kept = kept + case tg_op when 'DELETE' then -old.size_bytes else new.size_bytes end
    where organization_id = v_organization and kind = 'storage_bytes';
  return null;
end $$;
