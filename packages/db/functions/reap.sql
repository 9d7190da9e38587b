-- Repairs what a dead worker left: expired dispatches, expired leases, overdue retries. Bounded per call. Does nothing
-- within p_grace_ms of the database's start: after an outage all leases look expired, also those of live workers that
-- are about to renew.
create or replace function reap_sessions(p_limit int, p_grace_ms int, p_overdue_ms int, p_uncounted_max int)
returns table (session_id text, organization_id text, was text, recorded text)
language plpgsql as $$
#variable_conflict use_column
declare
  s sessions%rowtype;
begin
  if clock_timestamp() < pg_postmaster_start_time() + p_grace_ms * interval '1 millisecond' then return; end if;
  -- Lock all budgets that the ends below charge, at once and in one order. Locked one by one, their order would differ
  -- from that of a worker's end.
  perform 1 from budgets b where b.id in (
    select y.id from sessions x join budgets y on y.organization_id = x.organization_id
      and y.target_id in (x.organization_id, x.agent_id, x.id)
    where x.schedule = 'leased' and x.lease_until < clock_timestamp())
    order by b.id for no key update;
  for s in select * from sessions where schedule in ('dispatched', 'leased') and lease_until < clock_timestamp()
    order by lease_until limit p_limit for no key update skip locked
  loop
    session_id := s.id;
    organization_id := s.organization_id;
    was := s.schedule;
    if s.schedule = 'leased' then
      begin
        recorded := reap_lease(s, p_uncounted_max);
      exception when raise_exception or data_exception or integrity_constraint_violation or internal_error then
        -- A broken row must not block the repair of others. The invariants report it.
        recorded := 'broken';
        update sessions set lease_until = clock_timestamp() + interval '1 minute' where id = s.id;
      end;
    else
      update sessions set schedule = 'ready', ready_at = accepted_at(s.id), lease_until = null where id = s.id;
      recorded := 'ready';
    end if;
    return next;
  end loop;
  return query select r.session_id, r.organization_id, 'retry_wait', 'ready'
    from ready_due_retries(p_limit, p_overdue_ms) r;
end $$;

-- Makes retries that have been due for p_overdue_ms ready, at the place of their acceptance: the dispatcher assigns
-- slots to them as to all others.
create or replace function ready_due_retries(p_limit int, p_overdue_ms int)
returns table (session_id text, organization_id text)
language sql as $$
  with due as (
    select id from sessions where schedule = 'retry_wait'
      and ready_at <= clock_timestamp() - p_overdue_ms * interval '1 millisecond'
    order by ready_at limit p_limit for no key update skip locked)
  update sessions s set schedule = 'ready', ready_at = accepted_at(s.id) where s.id = any (array(select id from due))
  returning s.id, s.organization_id
$$;

-- Ends the attempt of a lost worker. An attempt whose entrypoint was never called does not count, up to a limit; the
-- first that was called adds an attempt (see with_extra_attempt).
create or replace function reap_lease(s sessions, p_uncounted_max int) returns text
language plpgsql as $$
declare
  m messages%rowtype;
  a attempts%rowtype;
  v_failure jsonb := jsonb_build_object('code', 'worker_lost', 'message',
    'the worker that ran the turn was lost, or had no memory left; the agent may have called services already: '
    'check that before you send the message again, or set retries.max_attempts in dari.yml and pass operationKey to '
    'these services');
begin
  a := with_call(s.id, s.fence);
  select * into m from messages where id = a.message_id;
  if m.cancel_requested_at is not null then
    perform end_attempt(s, m, a, 'cancelled', 'lost', v_failure, cancelled_output(), null, null, null, null);
    return 'cancelled';
  end if;
  m := with_extra_attempt(s, m, a, v_failure);
  if has_no_try_left(m, a, p_uncounted_max) then
    perform end_attempt(s, m, a, 'failed', 'lost', v_failure,
      jsonb_build_object('parts', '[]'::jsonb, 'error', v_failure), null, null, null, null);
    return 'failed';
  end if;
  perform end_attempt(s, m, a, 'lost', 'lost', with_repeat_note(v_failure), null, null, null, null, null);
  return 'lost';
end $$;
