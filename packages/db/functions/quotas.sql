-- The organization, if it may keep p_more of this kind; else an error that names the bound and what is kept. Stands in
-- the very statement that inserts, or before it in one transaction. Where a bound is set, those that add of one kind to
-- one organization come one after the other, so that none looks past what another is adding. Organizations without one
-- pay for reading their own row.
-- Who adds of several kinds names the bytes first, then sessions, then the others, as the triggers do: so none wait for
-- each other in a circle.
-- p_kind: sessions | storage_bytes, of which the count is kept; files | agents | api_keys, which are counted up to the
-- bound.
create or replace function counted_in(p_organization text, p_kind text, p_more bigint) returns text
language plpgsql as $$
declare
  v_most bigint;
  v_kept bigint;
begin
  select case p_kind when 'sessions' then o.max_sessions when 'files' then o.max_files when 'agents' then o.max_agents
      when 'api_keys' then o.max_api_keys when 'storage_bytes' then o.max_storage_bytes end
    into v_most from organizations o where o.id = p_organization;
  if v_most is null or p_more <= 0 then return p_organization; end if;
  if p_kind in ('sessions', 'storage_bytes') then
    v_kept := hold_count(p_organization, p_kind);
  else
    perform pg_advisory_xact_lock(hashtext('dari quota ' || p_kind), hashtext(p_organization));
    -- A statement of its own, which sees what was committed before the lock was had.
    v_kept := kept_of(p_organization, p_kind, v_most);
  end if;
  if v_kept + p_more > v_most then perform refuse_more(p_kind, v_most, v_kept, p_more); end if;
  return p_organization;
end $$;

create or replace function refuse_more(p_kind text, p_most bigint, p_kept bigint, p_more bigint) returns void
language plpgsql as $$
begin
  raise exception using errcode = 'DQ001', message = p_kind,
    detail = jsonb_build_object('most', p_most, 'kept', p_kept, 'more', p_more)::text;
end $$;

-- How much is kept, which nobody else changes until the transaction ends. The triggers of what is counted change the
-- count (see 0023). A bound that has no count yet is counted for: the reconciler begins it. (primary key)
create or replace function hold_count(p_organization text, p_kind text) returns bigint
language plpgsql security definer set search_path = dari, pg_temp as $$
declare
  v_kept bigint;
begin
  -- It sees past row-level security: calls of an organization learn of no other's.
  if p_organization <> coalesce(nullif(current_setting('dari.organization_id', true), ''), p_organization) then
    return null;
  end if;
  -- First, as all do that change the count.
  perform pg_advisory_xact_lock_shared(hashtext('dari kept counts'), hashtext(p_organization));
  select kept into v_kept from kept_counts where organization_id = p_organization and kind = p_kind for no key update;
  if found then return v_kept; end if;
  perform pg_advisory_xact_lock(hashtext('dari quota ' || p_kind), hashtext(p_organization));
  -- A statement of its own, which sees what was committed before the lock was had.
  return kept_now(p_organization, p_kind);
end $$;

-- Counts anew. The lock waits for those that are changing what is counted, and keeps others from it.
create or replace function recount(p_organization text, p_kind text) returns bigint
language plpgsql security definer set search_path = dari, pg_temp as $$
declare
  v_kept bigint;
begin
  -- It sees past row-level security: calls of an organization learn of no other's.
  if p_organization <> coalesce(nullif(current_setting('dari.organization_id', true), ''), p_organization) then
    return null;
  end if;
  perform pg_advisory_xact_lock(hashtext('dari kept counts'), hashtext(p_organization));
  -- A statement of its own, which sees what those have committed.
  v_kept := kept_now(p_organization, p_kind);
  insert into kept_counts (organization_id, kind, kept) values (p_organization, p_kind, v_kept)
    on conflict (organization_id, kind) do update set kept = excluded.kept, checked_at = excluded.checked_at;
  return v_kept;
end $$;

-- Counts no more. The lock comes before the row, as for all that change the count: else who has the one waits for the
-- other in a circle.
create or replace function forget_count(p_organization text, p_kind text) returns void language plpgsql as $$
begin
  perform pg_advisory_xact_lock(hashtext('dari kept counts'), hashtext(p_organization));
  delete from kept_counts where organization_id = p_organization and kind = p_kind;
end $$;

-- What a count must be. Stable: in one statement with the count, both are of one moment. (indexes
-- sessions_by_organization, files_by_organization, primary key of snapshots)
create or replace function kept_now(p_organization text, p_kind text) returns bigint language sql stable as $$
  select case p_kind
    when 'sessions' then (select count(*) from sessions where organization_id = p_organization and deleted_at is null)
    else (select coalesce(sum(size_bytes), 0) from files where organization_id = p_organization and deleted_at is null)
      + (select coalesce(sum(size_bytes), 0) from source_snapshots where organization_id = p_organization)
      + (select coalesce(sum(h.total_bytes), 0) from sessions s join snapshots h on h.id = s.head_snapshot_id
        where s.organization_id = p_organization and s.deleted_at is null)
  end::bigint
$$;

-- Why a workspace of so many bytes cannot be the session's head: its organization would keep more than it may. Null: it
-- can. One that is not larger than the head always can. (primary keys)
create or replace function storage_refusal(s sessions, p_total_bytes bigint) returns jsonb language plpgsql as $$
declare
  v_most bigint := (select max_storage_bytes from organizations where id = s.organization_id);
  v_more bigint;
  v_kept bigint;
begin
  if v_most is null then return null; end if;
  v_more := p_total_bytes - coalesce((select total_bytes from snapshots where id = s.head_snapshot_id), 0);
  if v_more <= 0 then return null; end if;
  v_kept := hold_count(s.organization_id, 'storage_bytes');
  if v_kept + v_more <= v_most then return null; end if;
  return jsonb_build_object('code', 'storage_quota', 'message', format('quota reached: %s bytes of files, '
    'bundles and workspaces, of which %s are used, and this turn adds %s; the session''s files stay as they were',
    v_most, v_kept, v_more));
end $$;

-- How many an organization keeps, counted no further than p_most.
create or replace function kept_of(p_organization text, p_kind text, p_most bigint) returns bigint
language plpgsql stable as $$
begin
  case p_kind
    when 'files' then return (select count(*) from (select 1 from files where organization_id = p_organization
      and deleted_at is null limit p_most) x);
    when 'agents' then return (select count(*) from (select 1 from agents where organization_id = p_organization
      and deleted_at is null limit p_most) x);
    when 'api_keys' then return (select count(*) from (select 1 from api_keys where organization_id = p_organization
      and revoked_at is null and (expires_at is null or expires_at > clock_timestamp()) limit p_most) x);
  end case;
end $$;
