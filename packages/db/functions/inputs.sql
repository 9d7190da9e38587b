-- What agents ask for during a message. While an input waits, its session is blocked and no worker is occupied.

-- Records what a suspended attempt asks for, and the side snapshot from which the message continues. Runs in the
-- transaction of the attempt's end, whose caller holds the session's row lock and appends the following event.
-- p_input: {key, schema, prompt, wait_seconds, placed, budget}. With budget, a limit of the message was reached: the
-- message then starts again where this attempt started, because its agent was stopped anywhere. No agent can use the
-- key of such an input.
create or replace function request_input(s sessions, m messages, a attempts, p_input jsonb, p_snapshot text)
returns void language plpgsql as $$
declare
  i message_inputs%rowtype;
  v_budget jsonb := nullif(p_input -> 'budget', 'null');
  v_key text := p_input ->> 'key';
begin
  if p_input is null or p_snapshot is null and v_budget is null then
    raise exception 'the suspended attempt % does not say what it waits for', a.id;
  end if;
  if v_budget is not null then
    v_key := 'dari:budget-' || 1 + (select count(*) from message_inputs x
      where x.message_id = m.id and x.budget is not null);
  end if;
  insert into message_inputs (message_id, key, organization_id, session_id, number, schema, prompt, expires_at, budget)
    select m.id, v_key, s.organization_id, s.id, count(*) + 1, p_input -> 'schema', p_input ->> 'prompt',
      clock_timestamp() + (p_input ->> 'wait_seconds')::int * interval '1 second', v_budget
    from message_inputs x where x.message_id = m.id
    returning * into i;
  insert into events (session_id, sequence_number, organization_id, type, message_id, attempt_id, data)
    values (s.id, s.next_event_number, s.organization_id, 'input.requested', m.id, a.id, jsonb_build_object(
      'key', i.key, 'schema', i.schema, 'prompt', i.prompt,
      'expires_at', to_char(i.expires_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
      || case when v_budget is null then '{}' else jsonb_build_object('type', 'budget', 'budget', v_budget) end);
  update sessions set next_event_number = next_event_number + 1 where id = s.id;
  if v_budget is null then
    update messages set resume_snapshot_id = p_snapshot, resume_inputs = p_input -> 'placed' where id = m.id;
  else
    update messages set raised_limits = coalesce(raised_limits, '{}') where id = m.id;
  end if;
end $$;

-- Answers what a message waits for. Its session continues as after an acceptance: with p_dispatch_ttl_ms it is
-- dispatched at once. The caller has checked the value: a row's schema never changes. schedule: what the session was
-- moved to. An input with a budget raises the message's limits, or fails the message if the answer declines.
-- outcome: answered | not_found | not_asked | answered_before | over (expired, or its message was cancelled)
create or replace function answer_input(
  p_organization text, p_message text, p_key text, p_value jsonb, p_dispatch_ttl_ms int
) returns table (outcome text, session_id text, schedule text, dispatch_number bigint, attempts_left int)
language plpgsql as $$
#variable_conflict use_column
declare
  s sessions%rowtype;
  m messages%rowtype;
  i message_inputs%rowtype;
  v_blocked text;
begin
  select x.session_id into session_id from messages x where x.id = p_message and x.organization_id = p_organization;
  if not found then outcome := 'not_found'; return next; return; end if;
  -- The lock order of all functions: session, then message.
  select * into s from sessions where id = session_id and deleted_at is null for no key update;
  if not found then outcome := 'not_found'; return next; return; end if;
  select * into m from messages where id = p_message for no key update;
  select * into i from message_inputs where message_id = p_message and key = p_key;
  outcome := case when not found then 'not_asked' when i.state = 'answered' then 'answered_before'
    when i.state <> 'waiting' then 'over' end;
  if outcome is not null then return next; return; end if;
  if m.state <> 'waiting_for_input' or s.blocked_reason is distinct from 'input' then
    raise exception 'an input of message % waits without it', m.id;
  end if;
  if i.budget is not null then
    if p_value -> 'approved' is distinct from 'true' then
      schedule := decline_budget(s, m, i, p_value);
      dispatch_number := s.dispatch_number;
      attempts_left := 0;
      outcome := 'answered';
      return next; return;
    end if;
    m.raised_limits := m.raised_limits || limits_of_answer(i, p_value, m.raised_limits);
  end if;

  dispatch_number := s.dispatch_number;
  v_blocked := hold_reason(p_organization, s.agent_id, s.id);
  if v_blocked is not null then schedule := 'blocked';
  elsif p_dispatch_ttl_ms is not null and not counts_turns(p_organization, s.agent_id, s.id, s.batch_id) then
    schedule := 'dispatched';
    dispatch_number := dispatch_number + 1;
  else schedule := 'ready';
  end if;
  update message_inputs set state = 'answered', value = p_value, ended_at = clock_timestamp()
    where message_id = p_message and key = p_key;
  update messages set state = 'queued', raised_limits = m.raised_limits where id = p_message;
  insert into events (session_id, sequence_number, organization_id, type, message_id, data) values
    (s.id, s.next_event_number, p_organization, 'input.submitted', m.id,
      jsonb_build_object('key', p_key, 'value', p_value)),
    (s.id, s.next_event_number + 1, p_organization, 'message.status_changed', m.id, '{"status": "queued"}');
  update sessions set
    schedule = answer_input.schedule,
    dispatch_number = answer_input.dispatch_number,
    blocked_reason = v_blocked,
    -- At the place of its acceptance, like every turn that has begun.
    ready_at = case answer_input.schedule when 'ready' then m.created_at end,
    lease_until = case answer_input.schedule
      when 'dispatched' then clock_timestamp() + p_dispatch_ttl_ms * interval '1 millisecond' end,
    next_event_number = next_event_number + 2
  where id = s.id;
  attempts_left := m.max_attempts - m.attempts;
  outcome := 'answered';
  return next;
end $$;

-- Returns the limits that an answer sets: those that the schema offers, with its default where the answer has none.
-- None is lower than it was raised before.
create or replace function limits_of_answer(i message_inputs, p_value jsonb, p_raised jsonb) returns jsonb
language sql immutable as $$
  select coalesce(jsonb_object_agg(p.key, greatest(coalesce(p_value ->> p.key, p.value ->> 'default')::numeric,
    (p_raised ->> p.key)::numeric)), '{}')
  from jsonb_each(i.schema -> 'properties') p where p.value ? 'default'
$$;

-- Answers an input that asks for a higher limit, and fails its message as at the limit. The caller holds the session's
-- row lock. Returns what the session was moved to.
create or replace function decline_budget(s sessions, m messages, i message_inputs, p_value jsonb) returns text
language plpgsql as $$
declare
  v_failure jsonb;
begin
  select a.failure into v_failure from attempts a where a.message_id = m.id order by a.fence desc limit 1;
  update message_inputs set state = 'answered', value = p_value, ended_at = clock_timestamp()
    where message_id = m.id and key = i.key;
  insert into events (session_id, sequence_number, organization_id, type, message_id, data)
    values (s.id, s.next_event_number, s.organization_id, 'input.submitted', m.id,
      jsonb_build_object('key', i.key, 'value', p_value));
  s.next_event_number := s.next_event_number + 1;
  update sessions set next_event_number = s.next_event_number where id = s.id;
  perform end_queued_message(s, m, 'failed', jsonb_build_object('parts', '[]'::jsonb, 'error', v_failure));
  return (select schedule from sessions where id = s.id);
end $$;

-- Ends an open input without an answer. The caller holds the session's row lock and ends the message.
create or replace function end_input(p_session text, p_state text) returns void language sql as $$
  update message_inputs set state = p_state, ended_at = clock_timestamp()
    where session_id = p_session and state = 'waiting'
$$;

-- Fails messages whose inputs were not answered in time. Skips locked rows. (index message_inputs_expiring)
create or replace function expire_inputs(p_limit int)
returns table (session_id text, organization_id text, message_id text)
language plpgsql as $$
#variable_conflict use_column
declare
  s sessions%rowtype;
  m messages%rowtype;
  v_key text;
begin
  for session_id, organization_id, message_id, v_key in
    select i.session_id, i.organization_id, i.message_id, i.key from message_inputs i
    where i.state = 'waiting' and i.expires_at < clock_timestamp() order by i.expires_at limit p_limit
  loop
    select * into s from sessions where id = session_id for no key update skip locked;
    continue when not found;
    -- It may have been answered or cancelled while we waited for the lock.
    perform 1 from message_inputs i where i.message_id = expire_inputs.message_id and i.key = v_key
      and i.state = 'waiting';
    continue when not found;
    select * into m from messages where id = message_id for no key update;
    begin
      perform end_input(session_id, 'expired');
      perform end_queued_message(s, m, 'failed', jsonb_build_object('parts', '[]'::jsonb, 'error', jsonb_build_object(
        'code', 'input_expired', 'message', 'input "' || v_key || '" expired before it was answered')));
    exception when raise_exception or data_exception or integrity_constraint_violation or internal_error then
      -- A broken row must not block the others. The invariants report it.
      continue;
    end;
    return next;
  end loop;
end $$;
