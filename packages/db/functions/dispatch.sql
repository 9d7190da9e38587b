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
