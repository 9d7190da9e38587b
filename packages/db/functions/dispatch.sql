-- Organizations that have a session ready now, by a loose index scan: its cost follows their number, not the backlog.
create or replace function ready_organizations() returns setof text
language sql stable as $$
  with recursive r as (
    (select organization_id from sessions where schedule = 'ready' order by organization_id limit 1)
    union all
    select (select s.organization_id from sessions s
      where s.schedule = 'ready' and s.organization_id > r.organization_id order by s.organization_id limit 1)
    from r where r.organization_id is not null)
  select organization_id from r where organization_id is not null
$$;

-- The fleet's slots and what holds them, one row per organization with something in flight; one row without when none
-- has. Costs what is in flight. is_shared: there is more than one organization.
create or replace function fleet_load(p_seen_within_ms int) returns table (slots int, workers int, is_shared boolean,
  organization_id text, in_flight int, weight int, max_concurrency int)
language sql stable as $$
  with fleet as (
    select coalesce(sum(w.slots), 0)::int as slots, count(*)::int as workers,
      (select count(*) from (select 1 from organizations limit 2) o) > 1 as is_shared
    from workers w where not w.draining
      and w.seen_at > statement_timestamp() - p_seen_within_ms * interval '1 millisecond'),
  held as (
    select s.organization_id, count(*)::int as in_flight
    from sessions s where s.schedule in ('dispatched', 'leased') group by s.organization_id)
  select f.slots, f.workers, f.is_shared, o.id, h.in_flight, o.weight, o.max_concurrency
  from fleet f left join (held h join organizations o on o.id = h.organization_id) on true
$$;

-- Seconds that each organization's attempts held a slot: those that ended after p_since, up to p_limit of them.
-- The newest p_settling_ms are left for the next call, because their transactions may not all be visible yet.
-- One row without an organization when there are none. until: where the next call goes on.
create or replace function ended_seconds(p_since timestamptz, p_settling_ms int, p_limit int)
returns table (until text, organization_id text, weight int, turns int, seconds double precision)
language sql stable as $$
  with ended as (
    select a.organization_id, a.ended_at, a.ended_at - a.claimed_at as held
    from attempts a where a.ended_at > p_since
      and a.ended_at <= statement_timestamp() - p_settling_ms * interval '1 millisecond'
    order by a.ended_at limit p_limit),
  used as (
    select e.organization_id, count(*)::int as turns, extract(epoch from sum(e.held))::double precision as seconds
    from ended e group by e.organization_id)
  select coalesce((select max(ended_at) from ended), p_since,
      statement_timestamp() - p_settling_ms * interval '1 millisecond')::text, o.id, o.weight, u.turns, u.seconds
  from (select 1) one left join (used u join organizations o on o.id = u.organization_id) on true
$$;

-- Messages of an organization that are open, counted no further than its bound.
create or replace function open_messages(p_organization text, p_default_max int)
returns table (open_messages int, max_backlog int)
language sql stable as $$
  select (select count(*)::int from (
      select 1 from messages m where m.organization_id = o.id and m.state in ('queued', 'running')
      limit coalesce(o.max_backlog, p_default_max)) x),
    coalesce(o.max_backlog, p_default_max)
  from organizations o where o.id = p_organization
$$;

-- Moves up to p_counts[i] of organization i's longest-ready sessions from ready to dispatched.
create or replace function dispatch_sessions(p_organizations text[], p_counts int[], p_ttl_ms int)
returns table (session_id text, organization_id text, dispatch_number bigint, message_id text, attempts_left int)
language sql as $$
  with want as (select * from unnest(p_organizations, p_counts) as w (o, n)),
  pick as (
    select p.id from want w cross join lateral (
      select s.id from sessions s
      where s.organization_id = w.o and s.schedule = 'ready' and s.ready_at <= clock_timestamp()
      order by s.ready_at limit w.n for no key update skip locked) p),
  moved as (
    update sessions s set schedule = 'dispatched', dispatch_number = s.dispatch_number + 1, ready_at = null,
      lease_until = clock_timestamp() + p_ttl_ms * interval '1 millisecond'
    from pick where s.id = pick.id
    returning s.id, s.organization_id, s.dispatch_number)
  select moved.id, moved.organization_id, moved.dispatch_number, m.id, m.max_attempts - m.attempts
  from moved join lateral (
    select x.id, x.max_attempts, x.attempts from messages x
    where x.session_id = moved.id and x.state in ('queued', 'running') order by x.sequence_number limit 1) m on true
$$;

-- When the session's next message was accepted: the place that it keeps when its dispatch did not work out.
create or replace function accepted_at(p_session text) returns timestamptz language sql stable as $$
  select coalesce((select created_at from messages where session_id = p_session and state in ('queued', 'running')
    order by sequence_number limit 1), clock_timestamp())
$$;

-- Gives sessions back to ready whose delivery did not work out, if they still stand at that dispatch.
create or replace function undispatch_sessions(p_sessions text[], p_dispatch_numbers bigint[])
returns int language sql as $$
  with w as (select * from unnest(p_sessions, p_dispatch_numbers) as w (id, n)),
  moved as (
    update sessions s set schedule = 'ready', ready_at = accepted_at(s.id), lease_until = null
    from w where s.id = w.id and s.dispatch_number = w.n and s.schedule = 'dispatched' returning 1)
  select count(*)::int from moved
$$;
