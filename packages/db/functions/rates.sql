-- Takes from the windows of organizations and their keys, element by element: what both the organization's window and,
-- if the key has a quota, the key's window have.
-- p_wants: how many; a negative number gives back. p_whole: all or nothing. p_spares: this many more, which the caller
-- uses before the window ends; a small part of what is left, so that little is wasted. p_quotas: used if the
-- organization's row has none; null: no limit.
-- Callers sort by organization, kind and key to avoid deadlocks: without an organization's limit, nothing else orders
-- its keys.
create or replace function take_from_windows(
  p_organizations text[], p_keys text[], p_kinds text[], p_seconds int[], p_wants bigint[], p_whole boolean[],
  p_spares bigint[], p_quotas bigint[], p_key_quotas bigint[]
) returns table (granted bigint, quota bigint, remaining bigint, reset_ms int, key_remaining bigint, key_reset_ms int)
language plpgsql as $$
#variable_conflict use_column
declare
  v_given bigint;
begin
  for i in 1..cardinality(p_organizations) loop
    quota := p_quotas[i];
    select coalesce(case p_kinds[i] when 'requests' then o.max_requests_per_minute
        when 'messages' then o.max_messages_per_minute else o.max_upload_bytes_per_hour end, quota)
      into quota from organizations o where o.id = p_organizations[i];
    -- Take the organization's row first: only its holder takes a key's.
    select w.granted, w.remaining, w.reset_ms into granted, remaining, reset_ms from take_from_window(
      p_organizations[i], '', p_kinds[i], p_seconds[i], p_wants[i], p_whole[i], p_spares[i], quota) w;
    key_remaining := null;
    key_reset_ms := null;
    if p_key_quotas[i] is not null then
      select w.granted, w.remaining, w.reset_ms into v_given, key_remaining, key_reset_ms from take_from_window(
        p_organizations[i], p_keys[i], p_kinds[i], p_seconds[i], least(granted, p_wants[i]), p_whole[i],
        greatest(granted - p_wants[i], 0), p_key_quotas[i]) w;
      -- What the key may not take stays for others of the organization.
      if v_given < granted and quota is not null then
        update rate_windows set used = used - (granted - v_given)
          where organization_id = p_organizations[i] and key_id = '' and kind = p_kinds[i];
        remaining := remaining + granted - v_given;
      end if;
      granted := v_given;
    end if;
    return next;
  end loop;
end $$;

-- Takes from one window. It begins with the first take after the previous one has ended.
create or replace function take_from_window(
  p_organization text, p_key text, p_kind text, p_seconds int, p_want bigint, p_whole boolean, p_spare bigint,
  p_quota bigint
) returns table (granted bigint, remaining bigint, reset_ms int)
language plpgsql as $$
#variable_conflict use_column
declare
  v_now timestamptz := clock_timestamp();
  v_length interval := p_seconds * interval '1 second';
  v_first bigint := may_take(p_want, p_quota, p_whole, p_spare);
begin
  if p_quota is null then granted := p_want + p_spare; return next; return; end if;
  insert into rate_windows as w (organization_id, key_id, kind, started_at, used, last_granted)
    values (p_organization, p_key, p_kind, v_now, greatest(v_first, 0), v_first)
  on conflict (organization_id, key_id, kind) do update set
    started_at = case when w.started_at + v_length <= v_now then v_now else w.started_at end,
    used = case when w.started_at + v_length <= v_now then greatest(v_first, 0)
      else greatest(w.used + may_take(p_want, p_quota - w.used, p_whole, p_spare), 0) end,
    last_granted = case when w.started_at + v_length <= v_now then v_first
      else may_take(p_want, p_quota - w.used, p_whole, p_spare) end
  returning w.last_granted, greatest(p_quota - w.used, 0),
    ceil(extract(epoch from w.started_at + v_length - v_now) * 1000)::int into granted, remaining, reset_ms;
  return next;
end $$;

-- Returns how much to take: p_want and, if that is available, up to p_spare more, at most 1/256 of the rest.
create or replace function may_take(p_want bigint, p_left bigint, p_whole boolean, p_spare bigint) returns bigint
language sql immutable as $$
  select case when p_want <= p_left then p_want + least(p_spare, (p_left - p_want) / 256)
    when p_whole then 0 else greatest(p_left, 0) end
$$;
