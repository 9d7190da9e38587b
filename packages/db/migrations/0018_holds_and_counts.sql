-- Why: when budgets were changed and turns of theirs ended, by which what is held can be judged; and how much
-- organizations with a bound keep, counted as it changes in place of each time that something is added.
-- Locks: budgets for a moment. The triggers come with 0019.
-- Breaking for the release before: no.

alter table budgets
  -- When its caps were set, and when an attempt that it is part of last ended.
  add changed_at timestamptz not null default now(),
  add last_end_at timestamptz;

-- Of organizations with such a bound; others have no row, and what they add and delete counts nothing.
create table kept_counts (
  organization_id text not null references organizations on delete cascade,
  -- sessions: those that are not deleted; storage_bytes: files, bundles, and the workspaces of these sessions.
  kind text not null check (kind in ('sessions', 'storage_bytes')),
  kept bigint not null,
  -- When it was last held against what it counts.
  checked_at timestamptz not null default clock_timestamp(),
  primary key (organization_id, kind)
) with (fillfactor = 50);

-- These stand here and not among the functions, which are dropped when they are replaced: that would take the triggers
-- with it. They lock the organization's row as what refers to it does: whoever begins to count waits for those that are
-- changing what is counted, and the statement after that sees the count. As the tables' owner: who may add a session
-- may not change the count.
create function count_session() returns trigger language plpgsql security definer set search_path = dari, pg_temp as $$
declare
  v_was boolean := tg_op <> 'INSERT' and old.deleted_at is null;
  v_is boolean := tg_op <> 'DELETE' and new.deleted_at is null;
  v_organization text := case tg_op when 'DELETE' then old.organization_id else new.organization_id end;
  v_more bigint;
begin
  perform 1 from organizations where id = v_organization for key share;
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

create function count_file() returns trigger language plpgsql security definer set search_path = dari, pg_temp as $$
declare
  v_was boolean := tg_op <> 'INSERT' and old.deleted_at is null;
  v_is boolean := tg_op <> 'DELETE' and new.deleted_at is null;
  v_organization text := case tg_op when 'DELETE' then old.organization_id else new.organization_id end;
begin
  perform 1 from organizations where id = v_organization for key share;
  update kept_counts set kept = kept + case when v_is then new.size_bytes else 0 end
      - case when v_was then old.size_bytes else 0 end
    where organization_id = v_organization and kind = 'storage_bytes';
  return null;
end $$;

create function count_bundle() returns trigger language plpgsql security definer set search_path = dari, pg_temp as $$
declare
  v_organization text := case tg_op when 'DELETE' then old.organization_id else new.organization_id end;
begin
  perform 1 from organizations where id = v_organization for key share;
  update kept_counts set kept = kept + case tg_op when 'DELETE' then -old.size_bytes else new.size_bytes end
    where organization_id = v_organization and kind = 'storage_bytes';
  return null;
end $$;
