-- The organization, if it may keep p_more of this kind; else an error that names the bound and what is kept. Stands in
-- the very statement that inserts, or before it in one transaction. Where a bound is set, those that add of one kind to
-- one organization come one after the other, so that none looks past what another is adding; and what is kept is
-- counted, up to the bound. Organizations without one pay for reading their own row.
-- p_kind: sessions | files | agents | api_keys | storage_bytes
create or replace function counted_in(p_organization text, p_kind text, p_more bigint) returns text
language plpgsql as $$
declare
  v_most bigint;
  v_kept bigint;
begin
  select case p_kind when 'sessions' then o.max_sessions when 'files' then o.max_files when 'agents' then o.max_agents
      when 'api_keys' then o.max_api_keys when 'storage_bytes' then o.max_storage_bytes end
    into v_most from organizations o where o.id = p_organization;
  if v_most is null then return p_organization; end if;
  perform pg_advisory_xact_lock(hashtext('dari quota ' || p_kind), hashtext(p_organization));
  -- A statement of its own, which sees what was committed before the lock was had.
  if p_kind = 'storage_bytes' then
    select coalesce((select sum(f.size_bytes) from files f where f.organization_id = p_organization
        and f.deleted_at is null), 0)
      + coalesce((select sum(b.size_bytes) from source_snapshots b where b.organization_id = p_organization), 0)
      into v_kept;
  else
    v_kept := kept_of(p_organization, p_kind, v_most);
  end if;
  if v_kept + p_more <= v_most then return p_organization; end if;
  raise exception using errcode = 'DQ001', message = p_kind,
    detail = jsonb_build_object('most', v_most, 'kept', v_kept, 'more', p_more)::text;
end $$;

-- How many an organization keeps, counted no further than p_most.
create or replace function kept_of(p_organization text, p_kind text, p_most bigint) returns bigint
language plpgsql stable as $$
begin
  case p_kind
    when 'sessions' then return (select count(*) from (select 1 from sessions where organization_id = p_organization
      and deleted_at is null limit p_most) x);
    when 'files' then return (select count(*) from (select 1 from files where organization_id = p_organization
      and deleted_at is null limit p_most) x);
    when 'agents' then return (select count(*) from (select 1 from agents where organization_id = p_organization
      and deleted_at is null limit p_most) x);
    when 'api_keys' then return (select count(*) from (select 1 from api_keys where organization_id = p_organization
      and revoked_at is null and (expires_at is null or expires_at > clock_timestamp()) limit p_most) x);
  end case;
end $$;
