-- The order in which one organization's ready sessions are dispatched: lanes, and limits on concurrent turns.
--
-- sessions_ready is one queue for each organization, lane and limit_group. A session that a max_concurrency holds back
-- moves to the group of that limit. So one probe passes all sessions that wait for a full limit, however many they are.

-- The limit_group of an agent's or a batch's limit, by its id. Null for null. If two limits share a group, sessions of
-- one can wait for a slot of the other.
create or replace function group_of(p_id text) returns int language sql immutable strict as $$
  select greatest(1, hashtext(p_id) & 2147483647)
$$;

-- How many more turns the limits of an agent and a batch allow now; null if neither has one. Counts what is in flight,
-- including what this transaction has dispatched. (primary keys; index sessions_in_flight)
create or replace function limit_room(p_organization text, p_agent text, p_batch text) returns int
language sql as $$
  select least(
    (select a.max_concurrency - (select count(*) from sessions s where s.schedule in ('dispatched', 'leased')
        and s.organization_id = p_organization and s.agent_id = p_agent)
      from agents a where a.id = p_agent and a.max_concurrency is not null),
    (select b.max_concurrency - (select count(*) from sessions s where s.schedule in ('dispatched', 'leased')
        and s.organization_id = p_organization and s.batch_id = p_batch)
      from session_batches b where b.id = p_batch and b.max_concurrency is not null))::int
$$;

-- Groups of a lane from p_from on with a ready session, at most p_limit, and how many of each can be dispatched: null
-- for any number. (loose scan of sessions_ready)
create or replace function ready_groups(p_organization text, p_background boolean, p_from int, p_limit int)
returns table (limit_group int, room int) language sql as $$
  with recursive g as (
    (select s.limit_group, s.agent_id, s.batch_id from sessions s where s.schedule = 'ready'
      and s.organization_id = p_organization and s.is_background = p_background and s.limit_group >= p_from
      order by s.limit_group limit 1)
    union all
    select n.* from g cross join lateral (
      select s.limit_group, s.agent_id, s.batch_id from sessions s where s.schedule = 'ready'
        and s.organization_id = p_organization and s.is_background = p_background and s.limit_group > g.limit_group
        order by s.limit_group limit 1) n),
  few as materialized (select * from g limit p_limit),
  flight as materialized (select s.agent_id, s.batch_id from sessions s
    where s.schedule in ('dispatched', 'leased') and s.organization_id = p_organization)
  -- Group 0 has sessions of many agents: each is checked singly.
  select x.limit_group, case when x.limit_group > 0 then least(
      a.max_concurrency - (select count(*) from flight f where f.agent_id = x.agent_id),
      b.max_concurrency - (select count(*) from flight f where f.batch_id = x.batch_id))::int end
  from few x left join agents a on a.id = x.agent_id left join session_batches b on b.id = x.batch_id
$$;

-- Since when an organization's longest-ready session has been ready, without sessions that a max_concurrency holds
-- back. Reads at most 100 groups of a lane.
create or replace function oldest_ready_at(p_organization text) returns timestamptz language sql stable as $$
  select least(
    (select s.ready_at from sessions s where s.schedule = 'ready' and s.organization_id = p_organization
      and not s.is_background and s.limit_group = 0 order by s.ready_at limit 1),
    (select s.ready_at from sessions s where s.schedule = 'ready' and s.organization_id = p_organization
      and s.is_background and s.limit_group = 0 order by s.ready_at limit 1),
    (select min(x.ready_at) from (values (false), (true)) l (is_background)
      cross join lateral ready_groups(p_organization, l.is_background, 1, 100) g
      cross join lateral (select s.ready_at from sessions s where s.schedule = 'ready'
        and s.organization_id = p_organization and s.is_background = l.is_background and s.limit_group = g.limit_group
        order by s.ready_at limit 1) x
      where coalesce(g.room, 1) > 0))
$$;

-- Returns whether an organization has a ready session that no max_concurrency of an agent or a batch holds back. Group
-- 0 takes one probe per lane. Only if it is empty, other groups are read: 100 of a lane, and true if there are more.
create or replace function waits_for_slot(p_organization text) returns boolean language sql stable as $$
  select case
    when exists (select 1 from sessions s where s.schedule = 'ready' and s.organization_id = p_organization
      and not s.is_background and s.limit_group = 0) then true
    when exists (select 1 from sessions s where s.schedule = 'ready' and s.organization_id = p_organization
      and s.is_background and s.limit_group = 0) then true
    else exists (
      select 1 from (values (false), (true)) l (is_background)
        cross join lateral (select bool_or(coalesce(g.room, 1) > 0) or count(*) >= 100 as is_open
          from ready_groups(p_organization, l.is_background, 1, 100) g) x
        where x.is_open)
  end
$$;

-- Returns the first p_limit organizations with a ready session, and whether each waits for a slot. If several have only
-- sessions with a limit, the first 20 are checked and the others count as waiting, so that a call stays cheap.
create or replace function ready_with_room(p_limit int) returns table (id text, can_begin boolean)
language sql stable as $$
  with ready as materialized (
    select r.id, exists (select 1 from sessions s where s.schedule = 'ready' and s.organization_id = r.id
        and not s.is_background and s.limit_group = 0)
      or exists (select 1 from sessions s where s.schedule = 'ready' and s.organization_id = r.id
        and s.is_background and s.limit_group = 0) as is_open
    from ready_organizations('', p_limit) r (id)),
  numbered as materialized (select x.*, row_number() over (partition by x.is_open order by x.id) as n from ready x)
  select x.id, case when x.is_open or x.n > 20 then true else waits_for_slot(x.id) end from numbered x
$$;

-- Returns whether a due retry may continue without the dispatcher: no organization waits for a slot that it may have,
-- and no other transaction asks at this moment, so what the caller reads next holds until it commits. Sessions that
-- only wait for a full max_concurrency do not count. False if 20 organizations have ready sessions, so that a check
-- stays cheap. (indexes sessions_ready and sessions_in_flight)
create or replace function may_pass_dispatcher() returns boolean language sql as $$
  select pg_try_advisory_xact_lock(hashtext('dari due retries'))
    and (select count(*) from ready_organizations('', 20)) < 20
    and not exists (
      select 1 from ready_organizations('', 20) r (id) join organizations o on o.id = r.id
      where (o.max_concurrency is null or o.max_concurrency >
          (select count(*) from sessions s where s.schedule in ('dispatched', 'leased') and s.organization_id = o.id))
        and waits_for_slot(o.id))
$$;

-- Moves up to p_counts[i] of organization i's sessions from ready to dispatched. Skips locked rows. The first
-- p_background[i] are of the background lane; then the interactive lane goes first. Within a lane, the longest-ready
-- first. Sessions that a budget or a stop holds back become blocked. Row by row: statements that compare one column
-- with one value are planned once, joins of arrays every time.
create or replace function dispatch_sessions(
  p_organizations text[], p_counts int[], p_ttl_ms int, p_background int[] default null
) returns table (session_id text, organization_id text, dispatch_number bigint, message_id text, attempts_left int,
  is_background boolean)
language plpgsql as $$
#variable_conflict use_column
declare
  v_is_watched boolean;
  v_left int;
  v_most int;
  v_found refcursor;
begin
  -- A dispatch that a crash of the database undoes is ready again, and is dispatched again.
  perform set_config('synchronous_commit', 'off', true);
  for i in 1..cardinality(p_organizations) loop
    organization_id := p_organizations[i];
    v_is_watched := is_watched(p_organizations[i]);
    -- Another transaction dispatches for this organization; the next tick tries again.
    continue when v_is_watched and not may_count_turns(p_organizations[i]);
    v_left := p_counts[i];
    for step in 1..3 loop
      v_most := case step when 1 then least(p_background[i], v_left) else v_left end;
      continue when coalesce(v_most, 0) <= 0;
      is_background := step <> 2;
      if v_is_watched then
        open v_found for select w.id from watched_sessions(p_organizations[i], step <> 2, v_most) w (id);
      else
        open v_found for select s.id from sessions s
          where s.schedule = 'ready' and s.organization_id = p_organizations[i] and s.is_background = (step <> 2)
            and s.limit_group = 0
          order by s.ready_at limit v_most for no key update skip locked;
      end if;
      while v_most > 0 loop
        fetch v_found into session_id;
        exit when not found;
        continue when v_is_watched and not may_begin(session_id);
        v_most := v_most - 1;
        v_left := v_left - 1;
        update sessions s set schedule = 'dispatched', dispatch_number = s.dispatch_number + 1, ready_at = null,
          lease_until = clock_timestamp() + p_ttl_ms * interval '1 millisecond'
          where s.id = dispatch_sessions.session_id returning s.dispatch_number into dispatch_number;
        select x.id, x.max_attempts - x.attempts into message_id, attempts_left from messages x
          where x.session_id = dispatch_sessions.session_id and x.completed_at is null
          order by x.sequence_number limit 1;
        if found then return next; end if;
      end loop;
      close v_found;
    end loop;
  end loop;
end $$;

-- Returns ready sessions of one lane from the groups that have room, the longest-ready first. Reads at most 100 groups,
-- from a random place if there are more, so each is reached in time. From group 0, returns some more than p_most: held
-- sessions must not take another session's place.
create or replace function watched_sessions(p_organization text, p_background boolean, p_most int) returns setof text
language plpgsql as $$
declare
  v_groups int[];
  v_rooms int[];
begin
  select array_agg(g.limit_group), array_agg(coalesce(g.room, p_most)) into v_groups, v_rooms
    from ready_groups(p_organization, p_background, 0, 100) g;
  if cardinality(v_groups) = 100 then
    select v_groups || array_agg(g.limit_group), v_rooms || array_agg(coalesce(g.room, p_most)) into v_groups, v_rooms
      from ready_groups(p_organization, p_background, (random() * 2147483646)::int, 100) g
      where g.limit_group <> all (v_groups);
  end if;
  return query select x.id from unnest(v_groups, v_rooms) g (id, room) cross join lateral (
      select s.id, s.ready_at from sessions s where s.schedule = 'ready' and s.organization_id = p_organization
        and s.is_background = p_background and s.limit_group = g.id
      order by s.ready_at limit case g.id when 0 then p_most + 200 else least(p_most, greatest(g.room, 0)) end) x
    order by x.ready_at;
end $$;

-- Returns whether a ready session can be dispatched now, and locks it. If not: a session that a budget or a stop holds
-- back is blocked, and one that a max_concurrency holds back moves to the group of that limit.
create or replace function may_begin(p_session text) returns boolean language plpgsql as $$
declare
  s sessions%rowtype;
  v_blocked text;
begin
  select * into s from sessions x where x.id = p_session and x.schedule = 'ready' for no key update skip locked;
  if not found then return false; end if;
  v_blocked := hold_reason(s.organization_id, s.agent_id, s.id);
  if v_blocked is not null then
    update sessions set schedule = 'blocked', blocked_reason = v_blocked, ready_at = null where id = s.id;
    return false;
  end if;
  if limit_room(s.organization_id, s.agent_id, s.batch_id) <= 0 then
    update sessions set limit_group = group_of(coalesce(s.batch_id, s.agent_id)) where id = s.id and limit_group = 0;
    return false;
  end if;
  return true;
end $$;
