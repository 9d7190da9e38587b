-- Returns the organization if it may store p_more of this kind. Otherwise raises an error with the limit and what is
-- stored. Call it in the inserting statement, or before it in the same transaction.
-- With a limit, additions of one kind to one organization run one after the other, so that none overlooks another.
-- Organizations without a limit pay only for reading their own row. To avoid deadlocks, add bytes first, then sessions,
-- then the others, as the triggers do.
-- p_kind: sessions | storage_bytes, which have a stored total; files | agents | api_keys, which are counted up to the
-- limit.
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
    -- A separate statement, which sees what was committed before the lock was granted.
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

-- Returns how much is stored, and locks it until the transaction ends. The triggers on the counted tables change the
-- total (see 0023). A limit without a stored total is counted here; the reconciler will store it. (primary key)
create or replace function hold_count(p_organization text, p_kind text) returns bigint
language plpgsql security definer set search_path = dari, pg_temp as $$
declare
  v_kept bigint;
begin
  -- This function bypasses row-level security, so it must not answer for another organization.
  if p_organization <> coalesce(nullif(current_setting('dari.organization_id', true), ''), p_organization) then
    return null;
  end if;
  -- The first lock, as everywhere that changes the total.
  perform pg_advisory_xact_lock_shared(hashtext('dari kept counts'), hashtext(p_organization));
  select kept into v_kept from kept_counts where organization_id = p_organization and kind = p_kind for no key update;
  if found then return v_kept; end if;
  perform pg_advisory_xact_lock(hashtext('dari quota ' || p_kind), hashtext(p_organization));
  -- A separate statement, which sees what was committed before the lock was granted.
  return kept_now(p_organization, p_kind);
end $$;

-- Counts from the tables and stores the total. The lock waits for transactions that change it, and excludes new ones.
create or replace function recount(p_organization text, p_kind text) returns bigint
language plpgsql security definer set search_path = dari, pg_temp as $$
declare
  v_kept bigint;
begin
  -- This function bypasses row-level security, so it must not answer for another organization.
  if p_organization <> coalesce(nullif(current_setting('dari.organization_id', true), ''), p_organization) then
    return null;
  end if;
  perform pg_advisory_xact_lock(hashtext('dari kept counts'), hashtext(p_organization));
  -- A separate statement, which sees what those have committed.
  v_kept := kept_now(p_organization, p_kind);
  insert into kept_counts (organization_id, kind, kept) values (p_organization, p_kind, v_kept)
    on conflict (organization_id, kind) do update set kept = excluded.kept, checked_at = excluded.checked_at;
  return v_kept;
end $$;

-- Deletes the stored total. Takes the lock before the row, as everywhere that changes the total, to avoid deadlocks.
create or replace function forget_count(p_organization text, p_kind text) returns void language plpgsql as $$
begin
  perform pg_advisory_xact_lock(hashtext('dari kept counts'), hashtext(p_organization));
  delete from kept_counts where organization_id = p_organization and kind = p_kind;
end $$;

-- What a total must be. Stable: in one statement with the total, both are of one moment. (indexes
-- sessions_by_organization, files_by_organization, primary keys of snapshots, message_values and recordings)
create or replace function kept_now(p_organization text, p_kind text) returns bigint language sql stable as $$
  select case p_kind
    when 'sessions' then (select count(*) from sessions where organization_id = p_organization and deleted_at is null)
    else (select coalesce(sum(size_bytes), 0) from files where organization_id = p_organization and deleted_at is null)
      + (select coalesce(sum(size_bytes), 0) from source_snapshots where organization_id = p_organization)
      + (select coalesce(sum(h.total_bytes), 0) from sessions s join snapshots h on h.id = s.head_snapshot_id
        where s.organization_id = p_organization and s.deleted_at is null)
      + (select coalesce(sum(v.size_bytes), 0) from sessions s join message_values v on v.session_id = s.id
        where s.organization_id = p_organization and s.deleted_at is null)
      + (select coalesce(sum(r.size_bytes), 0) from sessions s join recordings r on r.session_id = s.id
        where s.organization_id = p_organization and s.deleted_at is null)
  end::bigint
$$;

-- Returns why a workspace of this size cannot become the session's head: its organization would exceed its quota. Null:
-- it can. A workspace that is not larger than the head always can. (primary keys)
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
    'bundles, workspaces and tool calls, of which %s are used, and this turn adds %s; the session''s files stay as '
    'they were',
    v_most, v_kept, v_more));
end $$;

-- How many an organization stores, counted up to p_most.
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
