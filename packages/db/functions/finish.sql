-- Closes the attempt and moves the message and the session on. The caller holds the session's row lock and has proved
-- that the attempt is the session's current one. Every ending of an attempt goes through here.
-- p_ending: completed | failed | cancelled (terminal), retry | released | lost (the message is queued again).
create or replace function end_attempt(
  p_session text, p_fence bigint, p_ending text, p_outcome text, p_failure jsonb, p_output jsonb,
  p_files_changed jsonb, p_snapshot text, p_timings jsonb, p_wait_ms int
) returns boolean
language plpgsql as $$
declare
  s sessions%rowtype;
  a attempts%rowtype;
  m messages%rowtype;
  v_terminal boolean := p_ending in ('completed', 'failed', 'cancelled');
  v_pending int;
  v_event bigint;
  v_schedule text;
begin
  select * into s from sessions where id = p_session;
  select * into a from attempts where session_id = p_session and fence = p_fence;
  -- The session's row lock is the message's as well: whoever writes to it holds that first.
  select * into m from messages where id = a.message_id;
  if m.state <> 'running' or m.fence is distinct from p_fence then
    raise exception 'session % is leased without its running message', p_session;
  end if;
  v_event := s.next_event_number;

  update attempts set ended_at = clock_timestamp(), outcome = p_outcome, failure = p_failure where id = a.id;
  insert into events (session_id, sequence_number, organization_id, type, message_id, attempt_id, data)
    values (p_session, v_event, s.organization_id, 'attempt.ended', m.id, a.id,
      jsonb_strip_nulls(jsonb_build_object('outcome', p_outcome, 'error', p_failure)));
  v_event := v_event + 1;

  if p_ending = 'completed' then
    insert into events (session_id, sequence_number, organization_id, type, message_id, attempt_id, data) values
      (p_session, v_event, s.organization_id, 'assistant.message_completed', m.id, a.id, jsonb_build_object('output', p_output)),
      (p_session, v_event + 1, s.organization_id, 'workspace.committed', m.id, a.id,
        jsonb_build_object('snapshot_id', p_snapshot, 'files_changed', p_files_changed));
    v_event := v_event + 2;
  end if;

  update messages set
    state = case when v_terminal then p_ending else 'queued' end,
    output = p_output,
    files_changed = coalesce(p_files_changed, '[]'),
    snapshot_id = p_snapshot,
    timings = timings || coalesce(p_timings, '{}'),
    fence = null,
    -- A released attempt does not count, also when its entrypoint had been called.
    attempts = attempts - case when p_ending = 'released' and a.called_at is not null then 1 else 0 end,
    uncounted_claims = uncounted_claims - case when p_ending = 'released' and a.called_at is null then 1 else 0 end,
    completed_at = case when v_terminal then clock_timestamp() end
  where id = m.id;

  v_pending := s.pending - case when v_terminal then 1 else 0 end;
  v_schedule := case when v_pending = 0 then 'idle' when p_ending = 'retry' then 'retry_wait' else 'ready' end;
  perform append_status_events(p_session, s.organization_id, m.id, v_event,
    case when v_terminal then p_ending else 'queued' end, v_terminal, v_schedule = 'idle');

  update sessions set
    pending = v_pending,
    schedule = v_schedule,
    -- A turn that was begun and given back keeps the place of its acceptance; otherwise it would wait behind every
    -- session that became ready meanwhile.
    ready_at = case when v_schedule = 'retry_wait' then clock_timestamp() + coalesce(p_wait_ms, 0) * interval '1 millisecond'
      when v_schedule = 'ready' and not v_terminal then m.created_at
      when v_schedule = 'ready' then clock_timestamp() end,
    claim_token = null, worker_id = null, lease_until = null, lease_limit = null,
    head_snapshot_id = coalesce(p_snapshot, head_snapshot_id),
    next_event_number = v_event + 1 + v_terminal::int + (v_schedule = 'idle')::int
  where id = p_session;
  return v_pending > 0;
end $$;

-- message.status_changed; for a terminal status also the message's last event; and the session's return to idle.
create or replace function append_status_events(
  p_session text, p_organization text, p_message text, p_first bigint, p_status text, p_terminal boolean, p_idle boolean
) returns void language plpgsql as $$
begin
  insert into events (session_id, sequence_number, organization_id, type, message_id, data)
    values (p_session, p_first, p_organization, 'message.status_changed', p_message, jsonb_build_object('status', p_status));
  if p_terminal then
    -- The record itself is read from the message's row, which no longer changes.
    insert into events (session_id, sequence_number, organization_id, type, message_id)
      values (p_session, p_first + 1, p_organization, 'message.' || p_status, p_message);
  end if;
  if p_idle then
    insert into events (session_id, sequence_number, organization_id, type, data)
      values (p_session, p_first + 1 + p_terminal::int, p_organization, 'session.status_changed', '{"status": "idle"}');
  end if;
end $$;

-- Records how a claimed turn ended: the only way for a worker. One transaction holds files, output, status and events.
-- p_ending: completed | failed | retry | released | cancelled.
-- recorded: what was written (a retry without attempts left is failed; a failure of a cancelled message is cancelled,
-- and so is every ending of one that was rolled back),
-- or null when this claim no longer holds the session. `again` is true when this very claim had already recorded it.
create or replace function finish_turn(
  p_session text, p_fence bigint, p_token uuid, p_ending text, p_failure jsonb, p_output jsonb,
  p_files_changed jsonb, p_snapshot jsonb, p_timings jsonb, p_wait_ms int, p_uncounted_max int
) returns table (recorded text, again boolean, more boolean)
language plpgsql as $$
#variable_conflict use_column
declare
  m messages%rowtype;
  v_ending text := p_ending;
  v_output jsonb := p_output;
  v_snapshot text;
begin
  if not hold_claim(p_session, p_fence, p_token) then
    select a.outcome, true, false into recorded, again, more from attempts a
      where a.session_id = p_session and a.fence = p_fence and a.outcome <> 'lost';
    if found then return next; end if;
    return;
  end if;
  select x.* into m from messages x join attempts a on a.message_id = x.id
    where a.session_id = p_session and a.fence = p_fence;

  -- A rollback must hold whoever is faster: a turn that ends all the same leaves nothing in its session.
  if m.rolled_back_by is not null then v_ending := 'cancelled';
  elsif v_ending in ('failed', 'retry', 'released') and m.cancel_requested_at is not null then v_ending := 'cancelled';
  -- A platform that fails before the call uses no attempt, and must not go on for ever either.
  elsif v_ending = 'retry' and (m.attempts >= m.max_attempts or m.uncounted_claims > p_uncounted_max) then
    v_ending := 'failed';
  end if;
  if v_ending = 'failed' then v_output := jsonb_build_object('parts', '[]'::jsonb, 'error', p_failure);
  elsif v_ending = 'cancelled' then
    -- What an interrupted turn had said so far stays in the conversation.
    v_output := cancelled_output() || case when m.interrupted_by is not null and m.rolled_back_by is null
      then jsonb_build_object('parts', coalesce(p_output -> 'parts', '[]')) else '{}' end;
  elsif v_ending <> 'completed' then v_output := null;
  end if;

  if p_snapshot is not null then
    v_snapshot := insert_turn_snapshot(p_session, m, p_fence, p_snapshot, v_ending = 'completed');
  end if;
  recorded := v_ending;
  again := false;
  more := end_attempt(p_session, p_fence, v_ending, v_ending, p_failure, v_output,
    case when m.rolled_back_by is null then p_files_changed end, v_snapshot, p_timings, p_wait_ms);
  return next;
end $$;

create or replace function cancelled_output() returns jsonb language sql immutable as $$
  select '{"parts": [], "error": {"code": "cancelled", "message": "the message was cancelled"}}'::jsonb
$$;

-- The snapshot of a turn: its child of the head when it completed, a side snapshot of the attempt otherwise.
-- Answers the new head, or null for a side snapshot.
create or replace function insert_turn_snapshot(
  p_session text, p_message messages, p_fence bigint, p_snapshot jsonb, p_completed boolean
) returns text language plpgsql as $$
declare
  v_head text;
begin
  select head_snapshot_id into v_head from sessions where id = p_session;
  if v_head is distinct from p_snapshot ->> 'parent_id' then
    raise exception 'snapshot of session % is not a child of its head', p_session;
  end if;
  insert into snapshots (id, organization_id, session_id, parent_id, message_id, fence, kind, object_key, is_full,
      delta_depth, tree_hash, size_bytes, files, total_bytes)
    values (p_snapshot ->> 'id', p_message.organization_id, p_session, v_head, p_message.id, p_fence,
      case when p_completed then 'turn' else 'side' end, p_snapshot ->> 'object_key', (p_snapshot ->> 'is_full')::boolean,
      (p_snapshot ->> 'delta_depth')::int, p_snapshot ->> 'tree_hash', (p_snapshot ->> 'size_bytes')::bigint,
      (p_snapshot ->> 'files')::int, (p_snapshot ->> 'total_bytes')::bigint);
  if p_completed then return p_snapshot ->> 'id'; end if;
  update attempts set side_snapshot_id = p_snapshot ->> 'id' where session_id = p_session and fence = p_fence;
  return null;
end $$;

-- Appends an event of a running attempt. False once superseded. p_number: the event's among those of its attempt, in
-- their order; one that was recorded before is not recorded again. Null: this call is never repeated.
create or replace function append_attempt_event(
  p_session text, p_fence bigint, p_token uuid, p_type text, p_data jsonb, p_number int default null
) returns boolean language plpgsql as $$
begin
  if not hold_claim(p_session, p_fence, p_token) then return false; end if;
  if p_number is not null then
    update attempts set last_event_number = p_number
      where session_id = p_session and fence = p_fence and last_event_number < p_number;
    if not found then return true; end if;
  end if;
  insert into events (session_id, sequence_number, organization_id, type, message_id, attempt_id, data)
    select s.id, s.next_event_number, s.organization_id, p_type, a.message_id, a.id, p_data
    from sessions s join attempts a on a.session_id = s.id and a.fence = p_fence where s.id = p_session;
  update sessions set next_event_number = next_event_number + 1 where id = p_session;
  return true;
end $$;

-- Appends captured output of a running attempt; a line that was recorded before is not recorded again. False once
-- superseded.
create or replace function append_attempt_logs(p_session text, p_fence bigint, p_token uuid, p_lines jsonb)
returns boolean language plpgsql as $$
begin
  if not hold_claim(p_session, p_fence, p_token) then return false; end if;
  -- The attempt's end is synchronous and makes what came before it durable.
  perform set_config('synchronous_commit', 'off', true);
  insert into attempt_logs (attempt_id, organization_id, message_id, sequence_number, stream, text)
    select a.id, a.organization_id, a.message_id, (l ->> 'sequence_number')::int, l ->> 'stream', l ->> 'text'
    from attempts a, jsonb_array_elements(p_lines) l where a.session_id = p_session and a.fence = p_fence
    on conflict (attempt_id, sequence_number) do nothing;
  return true;
end $$;
