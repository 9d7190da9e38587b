-- Claims the longest-waiting version without a builder, of organizations that are not in the list. An expired lease
-- means that the builder was lost.
create or replace function claim_build(p_worker text, p_lease_ms int, p_losses_max int, p_except text[])
returns table (version_id text, build_fence int)
language sql as $$
  update versions v set build_fence = v.build_fence + 1, build_worker_id = p_worker,
    build_losses = v.build_losses + (v.build_lease_until is not null)::int,
    build_lease_until = clock_timestamp() + p_lease_ms * interval '1 millisecond'
  from (
    select id from versions where state = 'building' and build_losses < p_losses_max
      and (build_lease_until is null or build_lease_until < clock_timestamp())
      and organization_id <> all (p_except) and not (select is_outdated(p_worker))
    order by created_at limit 1 for no key update skip locked) pick
  where v.id = pick.id returning v.id, v.build_fence
$$;

-- Fails versions whose builds were lost too often: something in them kills their builders.
create or replace function fail_lost_builds(p_losses_max int) returns int
language sql as $$
  with lost as (
    update versions set state = 'failed', finished_at = clock_timestamp(), build_lease_until = null,
      failure = '{"code": "build_failed", "message": "the build was lost several times; see the build log"}'
    where state = 'building' and build_losses >= p_losses_max
      and (build_lease_until is null or build_lease_until < clock_timestamp())
    returning 1)
  select count(*)::int from lost
$$;

-- Records a build: the version becomes ready or failed, the agent may move to it, waiting sessions continue or fail.
-- False if the claim was superseded.
create or replace function finish_build(p_version text, p_fence int, p_image jsonb, p_failure jsonb, p_warnings jsonb)
returns boolean language plpgsql as $$
declare
  v versions%rowtype;
begin
  update versions set state = case when p_failure is null then 'ready' else 'failed' end, image = p_image,
    failure = p_failure, warnings = p_warnings, finished_at = clock_timestamp(), build_lease_until = null
    where id = p_version and build_fence = p_fence and state = 'building' returning * into v;
  if not found then return false; end if;
  if v.state = 'ready' then
    -- Only forward, and only if nobody has chosen a version since this one was published.
    update agents a set active_version_id = v.id
      where a.id = v.agent_id and v.activates_itself and v.number > a.activation_floor
      and (a.active_version_id is null
        or v.number > (select x.number from versions x where x.id = a.active_version_id));
  end if;
  return true;
end $$;

-- Moves sessions whose build has ended. Level-triggered: also repairs what a crash left behind.
create or replace function settle_build_waiters(p_sessions int, p_messages int)
  returns table (session_id text, organization_id text, result text)
language plpgsql as $$
#variable_conflict use_column
declare
  s sessions%rowtype;
  m messages%rowtype;
  v_state text;
  v_failure jsonb;
  v_ended int := 0;
begin
  for s in select x.* from sessions x join versions v on v.id = x.version_id
    where x.schedule = 'blocked' and x.blocked_reason = 'build' and v.state <> 'building'
    limit p_sessions for no key update of x skip locked
  loop
    select state, failure into v_state, v_failure from versions where id = s.version_id;
    session_id := s.id;
    organization_id := s.organization_id;
    if v_state = 'ready' then
      update sessions set schedule = 'ready', blocked_reason = null, ready_at = clock_timestamp() where id = s.id;
      result := 'ready';
    else
      loop
        -- The next call continues a long backlog; until then the session stays blocked.
        if v_ended >= p_messages then return; end if;
        select * into s from sessions where id = session_id;
        select * into m from messages where session_id = s.id and state = 'queued' order by sequence_number limit 1
          for no key update;
        exit when not found;
        perform end_queued_message(s, m, 'failed', jsonb_build_object('parts', '[]'::jsonb,
          'error', jsonb_build_object('code', 'build_failed', 'message', v_failure ->> 'message')));
        v_ended := v_ended + 1;
      end loop;
      -- The same event as when a session is completed.
      insert into events (session_id, sequence_number, organization_id, type, data)
        select id, next_event_number, x.organization_id, 'session.status_changed', '{"status": "failed"}'
        from sessions x where id = s.id and state = 'open';
      update sessions set state = 'failed', ended_at = clock_timestamp(), next_event_number = next_event_number + 1
        where id = s.id and state = 'open';
      result := 'failed';
    end if;
    return next;
  end loop;
end $$;
