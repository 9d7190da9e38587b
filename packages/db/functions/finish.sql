-- Ends the attempt and moves the message and the session on. Every end of an attempt goes through here. The caller
-- holds the session's row lock, and has checked that the attempt is the session's current one. s, m, a: the rows as
-- they are under that lock; a's row is locked too if its worker may still write to it. p_ending: completed | failed |
-- cancelled (terminal), retry | released | lost (the message is queued again), suspended (it waits for an input, see
-- request_input). m may have an extra attempt (see with_extra_attempt). p_usage: the attempt's usage, if known.
create or replace function end_attempt(
  s sessions, m messages, a attempts, p_ending text, p_outcome text, p_failure jsonb, p_output jsonb,
  p_files_changed jsonb, p_snapshot text, p_timings jsonb, p_wait_ms int, p_usage jsonb default null
) returns boolean
language plpgsql as $$
declare
  v_now timestamptz := clock_timestamp();
  -- What the attempt has taken, if that ends too.
  v_taken text[] := case when a.steered_messages > 0 then
    end_taken(s, a, case p_ending when 'suspended' then p_outcome else p_ending end, p_output, v_now) else '{}' end;
  v_terminal boolean := p_ending in ('completed', 'failed', 'cancelled');
  v_pending int := s.pending - v_terminal::int - cardinality(v_taken);
  v_schedule text := case when v_pending = 0 then 'idle' when p_ending = 'retry' then 'retry_wait'
    when p_ending = 'suspended' then 'blocked' else 'ready' end;
  v_status text := case when v_terminal then p_ending when p_ending = 'suspended' then 'waiting_for_input'
    else 'queued' end;
  v_called boolean := a.called_at is not null;
  v_uncounted boolean := p_ending in ('released', 'suspended');
  v_events int;
begin
  if m.state <> 'running' or m.fence is distinct from a.fence or s.fence is distinct from a.fence then
    raise exception 'session % is leased without its running message', s.id;
  end if;
  -- A lost worker does not say it, but may have stored it with a step.
  p_usage := coalesce(p_usage, a.usage);
  if v_taken <> '{}' then
    s.next_event_number := append_taken_ends(s, v_taken, p_ending);
  end if;
  update attempts set ended_at = v_now, outcome = p_outcome, failure = p_failure,
    called_at = a.called_at,
    tokens = case when v_called and p_usage is not null then tokens_of(p_usage) end,
    usage = case when v_called then coalesce(p_usage, '{}') end,
    (metered_requests, metered_tokens, metered_cost_microusd, unpriced_requests) = (
      select sum(r.requests) filter (where not r.is_recorded),
        sum(least(1000000000000, coalesce(r.input_tokens, 0)::numeric + coalesce(r.output_tokens, 0))),
        sum(r.cost_microusd), sum(case when r.cost_microusd is null then r.requests else 0 end)
      from model_requests r where r.message_id = m.id and r.fence = a.fence)
    where id = a.id;
  insert into events (session_id, sequence_number, organization_id, type, message_id, attempt_id, data)
    select s.id, s.next_event_number - 1 + row_number() over (), s.organization_id, type, message, attempt, data
    from (values
      (true, 'attempt.ended', m.id, a.id,
        jsonb_strip_nulls(jsonb_build_object('outcome', p_outcome, 'error', p_failure, 'usage', p_usage))),
      (p_ending = 'completed', 'assistant.message_completed', m.id, a.id, jsonb_build_object('output', p_output)),
      (p_ending = 'completed', 'workspace.committed', m.id, a.id,
        jsonb_build_object('snapshot_id', p_snapshot, 'files_changed', p_files_changed)),
      (true, 'message.status_changed', m.id, null, jsonb_build_object('status', v_status)),
      -- The record is read from the message's row, which no longer changes.
      (v_terminal, 'message.' || v_status, m.id, null, '{}'),
      (v_schedule = 'idle', 'session.status_changed', null, null, '{"status": "idle"}')
    ) as told (wanted, type, message, attempt, data) where wanted;
  get diagnostics v_events = row_count;
  perform charge_budgets(s, a, p_usage);

  update messages set
    state = v_status,
    output = p_output,
    files_changed = coalesce(p_files_changed, '[]'),
    snapshot_id = p_snapshot,
    timings = timings || coalesce(p_timings, '{}'),
    fence = null,
    -- A released or suspended attempt does not count, even if its entrypoint was called.
    attempts = attempts + (v_called and not v_uncounted)::int,
    max_attempts = m.max_attempts,
    uncounted_claims = uncounted_claims - (v_called or v_uncounted)::int,
    completed_at = case when v_terminal then v_now end,
    failed_at = case when p_ending = 'failed' then v_now end
  where id = m.id;

  update sessions set
    pending = v_pending,
    schedule = v_schedule,
    blocked_reason = case v_schedule when 'blocked' then 'input' end,
    -- A turn that has begun keeps the place of its acceptance. Otherwise it would wait behind all sessions that became
    -- ready since.
    ready_at = case
      when v_schedule = 'retry_wait' then clock_timestamp() + coalesce(p_wait_ms, 0) * interval '1 millisecond'
      when v_schedule = 'ready' and not v_terminal then m.created_at
      when v_schedule = 'ready' then clock_timestamp() end,
    claim_token = null, worker_id = null, lease_until = null, lease_limit = null,
    head_snapshot_id = coalesce(p_snapshot, head_snapshot_id),
    next_event_number = s.next_event_number + v_events
  where id = s.id;
  return v_pending > 0;
end $$;

-- Appends message.status_changed, for a terminal status also the message's last event, and the session's return to
-- idle.
create or replace function append_status_events(
  p_session text, p_organization text, p_message text, p_first bigint, p_status text, p_terminal boolean, p_idle boolean
) returns void language plpgsql as $$
begin
  insert into events (session_id, sequence_number, organization_id, type, message_id, data)
    values (p_session, p_first, p_organization, 'message.status_changed', p_message,
      jsonb_build_object('status', p_status));
  if p_terminal then
    -- The record is read from the message's row, which no longer changes.
    insert into events (session_id, sequence_number, organization_id, type, message_id)
      values (p_session, p_first + 1, p_organization, 'message.' || p_status, p_message);
  end if;
  if p_idle then
    insert into events (session_id, sequence_number, organization_id, type, data)
      values (p_session, p_first + 1 + p_terminal::int, p_organization, 'session.status_changed', '{"status": "idle"}');
  end if;
end $$;

-- Records how a claimed turn ended, with files, output, status and events in one transaction. Workers end turns only
-- with this function.
-- p_ending: completed | failed | retry | released | cancelled | suspended (p_input says what it waits for; with
-- p_failure, it asks for a higher limit, and fails with that if this is declined). p_output contains `usage` for every
-- ending if it is known; it is charged to the budgets. p_delivered: how many of the messages that the attempt took have
-- reached its agent; null: all.
-- recorded: what was written, or null if this claim no longer holds the session. A retry without attempts left becomes
-- failed. Every ending of a rolled-back message, and a failure of a cancelled one, becomes cancelled. A turn that
-- exceeds a quota becomes failed. `again`: this claim had recorded its end before.
create or replace function finish_turn(
  p_session text, p_fence bigint, p_token uuid, p_ending text, p_failure jsonb, p_output jsonb,
  p_files_changed jsonb, p_snapshot jsonb, p_timings jsonb, p_wait_ms int, p_uncounted_max int,
  p_input jsonb default null, p_delivered int default null
) returns table (recorded text, again boolean, more boolean)
language plpgsql as $$
#variable_conflict use_column
declare
  s sessions%rowtype;
  a attempts%rowtype;
  m messages%rowtype;
  v_ending text := p_ending;
  v_output jsonb := p_output;
  v_snapshot text;
begin
  select * into s from sessions where id = p_session for no key update;
  if not found then return; end if;
  select * into a from attempts where session_id = p_session and fence = p_fence;
  if is_held(s, p_fence, p_token) is not true then
    if a.outcome <> 'lost' then
      recorded := case when a.outcome = 'released' and a.failure is not null then 'suspended' else a.outcome end;
      again := true; more := false;
      return next;
    end if;
    return;
  end if;
  -- The call may be in the middle of being recorded.
  if a.called_at is null then a := with_call(p_session, p_fence); end if;
  select * into m from messages where id = a.message_id;

  -- A rollback wins in any order: a turn that still completes leaves nothing in its session.
  if m.rolled_back_by is not null then v_ending := 'cancelled';
  elsif v_ending in ('failed', 'retry', 'released', 'suspended') and m.cancel_requested_at is not null then
    v_ending := 'cancelled';
  elsif v_ending = 'retry' then
    m := with_extra_attempt(s, m, a, p_failure);
    -- A failure of the platform before the call does not count as an attempt, but must not repeat forever.
    if has_no_try_left(m, a, p_uncounted_max) then v_ending := 'failed';
    elsif is_platform_fault(p_failure) then p_failure := with_repeat_note(p_failure);
    end if;
  end if;
  if v_ending = 'completed' and p_snapshot is not null then
    p_failure := storage_refusal(s, (p_snapshot ->> 'total_bytes')::bigint);
    if p_failure is not null then
      v_ending := 'failed';
      p_files_changed := null;
    end if;
  end if;
  -- Here, because it locks the organization's total, as the growth of a workspace does, before budgets.
  if v_ending = 'completed' and m.has_recorded_answers then
    perform keep_recording(s, m, (p_snapshot ->> 'total_bytes')::bigint);
  end if;
  if v_ending = 'failed' then v_output := jsonb_build_object('parts', '[]'::jsonb, 'error', p_failure);
  elsif v_ending = 'cancelled' then
    -- The output of an interrupted turn stays in the conversation.
    v_output := cancelled_output() || case when m.interrupted_by is not null and m.rolled_back_by is null
      then jsonb_build_object('parts', coalesce(p_output -> 'parts', '[]')) else '{}' end;
  elsif v_ending <> 'completed' then v_output := null;
  end if;

  if p_snapshot is not null then
    v_snapshot := insert_turn_snapshot(s, m, a, p_snapshot, v_ending = 'completed');
  end if;
  if v_ending = 'suspended' then
    perform request_input(s, m, a, p_input, p_snapshot ->> 'id');
    s.next_event_number := s.next_event_number + 1;
  end if;
  -- In a session that has ended, nothing may wait.
  if p_delivered < a.steered_messages and s.state = 'open' and s.deleted_at is null then
    perform hand_back(a, p_delivered);
  end if;
  recorded := v_ending;
  again := false;
  -- At a limit, the attempt does not wait: its turn starts again without its work.
  more := end_attempt(s, m, a, v_ending,
    case when v_ending = 'suspended' and p_failure is not null then 'released' else v_ending end, p_failure, v_output,
    case when m.rolled_back_by is null then p_files_changed end, v_snapshot, p_timings, p_wait_ms,
    p_output -> 'usage');
  return next;
end $$;

-- Returns the attempt, with its row locked because its worker may just be recording its call. If the database has
-- restarted or recovered since the claim, the record of a call may be lost: the attempt then counts as called. A
-- recovery also resets the server's statistics.
create or replace function with_call(p_session text, p_fence bigint) returns attempts language plpgsql as $$
declare
  a attempts%rowtype;
begin
  select * into a from attempts where session_id = p_session and fence = p_fence for no key update;
  if a.called_at is null
    and a.claimed_at < greatest(pg_postmaster_start_time(), (select stats_reset from pg_stat_wal)) then
    a.called_at := a.claimed_at;
  end if;
  return a;
end $$;

-- Returns whether an attempt ended by the platform's fault, not the agent's.
create or replace function is_platform_fault(p_failure jsonb) returns boolean language sql immutable as $$
  select p_failure ->> 'code' in ('worker_lost')
$$;

-- Returns the message, with one attempt more if the running attempt is its first one that ends by the platform's fault
-- after the entrypoint was called, and the manifest allows it. That attempt counts, so each attempt has a number of its
-- own. Later ones add nothing: a turn that kills its workers must not run forever. The caller holds the session's row
-- lock.
create or replace function with_extra_attempt(s sessions, m messages, a attempts, p_failure jsonb) returns messages
language plpgsql as $$
begin
  if a.called_at is not null and is_platform_fault(p_failure)
    and not exists (select 1 from attempts x where x.message_id = m.id and x.called_at is not null
      and is_platform_fault(x.failure))
    and exists (select 1 from versions v where v.id = s.version_id
      and v.manifest #> '{retries,on_worker_lost}' = 'true') then
    m.max_attempts := m.max_attempts + 1;
  end if;
  return m;
end $$;

-- Returns the failure of an attempt whose turn is run again. Its text then has no advice on how to try it again.
create or replace function with_repeat_note(p_failure jsonb) returns jsonb language sql immutable as $$
  select p_failure || jsonb_build_object('message',
    split_part(p_failure ->> 'message', ';', 1) || '; the turn is run again')
$$;

-- Returns whether the running attempt was the last one that its message may have.
create or replace function has_no_try_left(m messages, a attempts, p_uncounted_max int) returns boolean
language sql immutable as $$
  select m.attempts + (a.called_at is not null)::int >= m.max_attempts
    or m.uncounted_claims - (a.called_at is not null)::int > p_uncounted_max
$$;

create or replace function cancelled_output() returns jsonb language sql immutable as $$
  select '{"parts": [], "error": {"code": "cancelled", "message": "the message was cancelled"}}'::jsonb
$$;

-- Inserts a turn's snapshot: a child of the head if the turn completed, otherwise a side snapshot. Returns the new
-- head, or null for a side snapshot.
create or replace function insert_turn_snapshot(
  s sessions, m messages, a attempts, p_snapshot jsonb, p_completed boolean
) returns text language plpgsql as $$
begin
  if s.head_snapshot_id is distinct from p_snapshot ->> 'parent_id' then
    raise exception 'snapshot of session % is not a child of its head', s.id;
  end if;
  insert into snapshots (id, organization_id, session_id, parent_id, message_id, fence, kind, object_key, is_full,
      delta_depth, tree_hash, size_bytes, files, total_bytes)
    values (p_snapshot ->> 'id', s.organization_id, s.id, s.head_snapshot_id, m.id, a.fence,
      case when p_completed then 'turn' else 'side' end, p_snapshot ->> 'object_key',
      (p_snapshot ->> 'is_full')::boolean,
      (p_snapshot ->> 'delta_depth')::int, p_snapshot ->> 'tree_hash', (p_snapshot ->> 'size_bytes')::bigint,
      (p_snapshot ->> 'files')::int, (p_snapshot ->> 'total_bytes')::bigint);
  if p_completed then return p_snapshot ->> 'id'; end if;
  update attempts set side_snapshot_id = p_snapshot ->> 'id' where id = a.id;
  return null;
end $$;

-- Appends events of a running attempt, [{number, type, data}], in this order. False once superseded. number: the
-- event's number within its attempt; a number that was recorded before is ignored. Null: the call is never repeated.
create or replace function append_attempt_events(p_session text, p_fence bigint, p_token uuid, p_events jsonb)
returns boolean language plpgsql as $$
declare
  v_new int;
begin
  if not hold_claim(p_session, p_fence, p_token) then return false; end if;
  insert into events (session_id, sequence_number, organization_id, type, message_id, attempt_id, data)
    select s.id, s.next_event_number - 1 + row_number() over (order by e.place), s.organization_id, e.type,
      a.message_id, a.id, e.data
    from sessions s join attempts a on a.session_id = s.id and a.fence = p_fence
      cross join rows from (jsonb_to_recordset(p_events) as (number int, type text, data jsonb))
        with ordinality as e (number, type, data, place)
    where s.id = p_session and (e.number is null or e.number > a.last_event_number);
  get diagnostics v_new = row_count;
  if v_new = 0 then return true; end if;
  update attempts set last_event_number = e.last
    from (select max((e ->> 'number')::int) as last from jsonb_array_elements(p_events) e) e
    where session_id = p_session and fence = p_fence and last_event_number < e.last;
  update sessions set next_event_number = next_event_number + v_new where id = p_session;
  return true;
end $$;

-- Appends captured output of a running attempt; lines that were recorded before are ignored. False once superseded.
create or replace function append_attempt_logs(p_session text, p_fence bigint, p_token uuid, p_lines jsonb)
returns boolean language plpgsql as $$
begin
  if not hold_claim(p_session, p_fence, p_token) then return false; end if;
  -- The end of the attempt commits synchronously, and makes earlier writes durable too.
  perform set_config('synchronous_commit', 'off', true);
  insert into attempt_logs (attempt_id, organization_id, message_id, sequence_number, stream, text)
    select a.id, a.organization_id, a.message_id, (l ->> 'sequence_number')::int, l ->> 'stream', l ->> 'text'
    from attempts a, jsonb_array_elements(p_lines) l where a.session_id = p_session and a.fence = p_fence
    on conflict (attempt_id, sequence_number) do nothing;
  return true;
end $$;
