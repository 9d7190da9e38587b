-- Returns organizations after p_after with a ready session, at most p_limit, by a loose index scan: the cost depends on
-- their number, not on the backlog.
create or replace function ready_organizations(p_after text default '', p_limit int default null) returns setof text
language sql stable as $$
  with recursive r as (
    (select organization_id from sessions where schedule = 'ready' and organization_id > p_after
      order by organization_id limit 1)
    union all
    select (select s.organization_id from sessions s
      where s.schedule = 'ready' and s.organization_id > r.organization_id order by s.organization_id limit 1)
    from r where r.organization_id is not null)
  select organization_id from r where organization_id is not null limit p_limit
$$;

-- The fleet's slots and what holds them: one row per organization with something in flight, or one row without an
-- organization if none has. Reads only what is in flight. is_shared: whether there are several organizations.
-- background: how many of in_flight are of that lane.
create or replace function fleet_load(p_seen_within_ms int) returns table (slots int, workers int, is_shared boolean,
  organization_id text, in_flight int, weight int, max_concurrency int, background int)
language sql stable as $$
  with fleet as (
    select coalesce(sum(w.slots), 0)::int as slots, count(*)::int as workers,
      (select count(*) from (select 1 from organizations limit 2) o) > 1 as is_shared
    from workers w where not w.draining and w.release >= lowest_release()
      and w.seen_at > statement_timestamp() - p_seen_within_ms * interval '1 millisecond'),
  held as (
    select s.organization_id, count(*)::int as in_flight, count(*) filter (where s.is_background)::int as background
    from sessions s where s.schedule in ('dispatched', 'leased') group by s.organization_id)
  select f.slots, f.workers, f.is_shared, o.id, h.in_flight, o.weight, o.max_concurrency, h.background
  from fleet f left join (
    held h cross join lateral (select * from organizations where id = h.organization_id offset 0) o) on true
$$;

-- Seconds that each organization's attempts held a slot: attempts that ended after p_since, at most p_limit. The newest
-- p_settling_ms are left for the next call, because their transactions may not be visible yet. One row without an
-- organization if there are none. until: where the next call continues.
create or replace function ended_seconds(p_since timestamptz, p_settling_ms int, p_limit int)
returns table (until text, organization_id text, weight int, turns int, seconds double precision)
language sql stable as $$
  with ended as (
    select e.organization_id, e.attempt_id, e.created_at as ended_at
    from events e where e.type = 'attempt.ended' and e.created_at > p_since
      and e.created_at <= statement_timestamp() - p_settling_ms * interval '1 millisecond'
    order by e.created_at limit p_limit),
  used as (
    select e.organization_id, count(*)::int as turns,
      extract(epoch from sum(e.ended_at - a.claimed_at))::double precision as seconds
    from ended e cross join lateral (select claimed_at from attempts where id = e.attempt_id offset 0) a
    group by e.organization_id)
  select coalesce((select max(ended_at) from ended), p_since,
      statement_timestamp() - p_settling_ms * interval '1 millisecond')::text, o.id, o.weight, u.turns, u.seconds
  from (select 1) one left join (
    used u cross join lateral (select * from organizations where id = u.organization_id offset 0) o) on true
$$;

-- Open messages of an organization, counted up to its limit.
create or replace function open_messages(p_organization text, p_default_max int)
returns table (open_messages int, max_backlog int)
language sql stable as $$
  select (select count(*)::int from (
      -- Same expression as in the index.
      select 1 from messages m where m.organization_id = o.id and coalesce(m.completed_at, 'infinity') = 'infinity'
      limit coalesce(o.max_backlog, p_default_max)) x),
    coalesce(o.max_backlog, p_default_max)
  from organizations o where o.id = p_organization
$$;

-- When the session's next message was accepted: its place if its dispatch fails.
create or replace function accepted_at(p_session text) returns timestamptz language sql stable as $$
  select coalesce((select created_at from messages where session_id = p_session and completed_at is null
    order by sequence_number limit 1), clock_timestamp())
$$;

-- Makes sessions ready again whose delivery failed, if that dispatch is still their newest one.
create or replace function undispatch_sessions(p_sessions text[], p_dispatch_numbers bigint[])
returns int language sql as $$
  select set_config('synchronous_commit', 'off', true);
  with w as (select * from unnest(p_sessions, p_dispatch_numbers) as w (id, n)),
  moved as (
    update sessions s set schedule = 'ready', ready_at = accepted_at(s.id), lease_until = null
    from w where s.id = w.id and s.dispatch_number = w.n and s.schedule = 'dispatched' returning 1)
  select count(*)::int from moved
$$;
