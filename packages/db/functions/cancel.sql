-- Cancels a message: a queued one at once, a running one by request (its worker sees the request and ends it).
-- outcome: cancelled | requested | not_found | terminal | delivered (the running attempt of delivered_in has taken it)
create or replace function cancel_message(p_organization text, p_message text)
returns table (outcome text, session_id text, delivered_in text)
language plpgsql as $$
#variable_conflict use_column
declare
  s sessions%rowtype;
  m messages%rowtype;
begin
  select x.session_id into session_id from messages x where x.id = p_message and x.organization_id = p_organization;
  if not found then outcome := 'not_found'; return next; return; end if;
  -- The lock order of all functions: session, then message.
  select * into s from sessions where id = session_id for no key update;
  select * into m from messages where id = p_message for no key update;
  if m.state = 'running' then
    update messages set cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp()) where id = p_message;
    outcome := 'requested';
  elsif m.completed_at is null and m.steered_attempt is not null then
    outcome := 'delivered';
    delivered_in := m.steered_into;
  elsif m.state in ('queued', 'waiting_for_input') then
    perform end_queued_message(s, m, 'cancelled', cancelled_output());
    outcome := 'cancelled';
  else
    outcome := 'terminal';
  end if;
  return next;
end $$;

-- Ends a message that no attempt runs; `completed` only if it becomes part of another. The caller holds the session's
-- row lock. Cancels the open input of a suspended message.
create or replace function end_queued_message(
  s sessions, m messages, p_status text, p_output jsonb, p_merged_into text default null
) returns void language plpgsql as $$
declare
  v_head text;
  v_schedule text := s.schedule;
  v_pending int := s.pending - 1;
begin
  select id into v_head from messages where session_id = s.id and completed_at is null
    order by sequence_number limit 1;
  update messages set state = p_status, output = p_output, merged_into = p_merged_into,
    completed_at = clock_timestamp(), failed_at = case p_status when 'failed' then clock_timestamp() end
    where id = m.id;
  if m.state = 'waiting_for_input' then perform end_input(s.id, 'cancelled'); end if;
  -- A dispatch, a retry or an input belonged to this message. The next one is dispatched separately.
  if v_pending = 0 then v_schedule := 'idle';
  elsif v_head = m.id and (s.schedule in ('dispatched', 'retry_wait') or s.blocked_reason = 'input') then
    v_schedule := 'ready';
  end if;
  perform append_status_events(s.id, s.organization_id, m.id, s.next_event_number, p_status, true, v_schedule = 'idle');
  update sessions set
    pending = v_pending,
    schedule = v_schedule,
    blocked_reason = case when v_schedule = 'blocked' then blocked_reason end,
    ready_at = case when v_schedule = s.schedule then ready_at when v_schedule = 'ready' then clock_timestamp() end,
    lease_until = case when v_schedule = s.schedule then lease_until end,
    next_event_number = next_event_number + 2 + (v_schedule = 'idle')::int
  where id = s.id;
end $$;
