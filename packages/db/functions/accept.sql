-- Accepts a message in one statement and one commit. The row lock on the session orders sequence numbers.
-- p_on_busy: what happens to open messages before it; null: the session's setting. p_retry_of: the message whose inputs
-- it takes over. p_background: its lane. p_batch: the batch whose max_concurrency counts its turn. p_limits: the limits
-- of its requests to models; null: those of the message that it retries.
-- schedule: what this call moved the session to; null if it did not. ended, stopping: messages that this call ended,
-- and the one whose worker must be told to stop. steers: whether a worker must be told that this message waits for its
-- turn.
-- outcome: accepted | not_found | closed | version_failed | busy | unknown_file | input_clash
create or replace function accept_message(
  p_organization text, p_session text, p_message text, p_parts jsonb, p_metadata jsonb,
  p_inputs jsonb, p_dispatch_ttl_ms int, p_on_busy text, p_retry_of text, p_merge_parts int, p_merge_bytes int,
  p_background boolean default false, p_batch text default null, p_conversation_digest bytea default null,
  p_limits jsonb default null
) returns table (outcome text, sequence_number int, schedule text, dispatch_number bigint, max_attempts int,
  detail text, ended text[], stopping text, steers boolean)
language plpgsql as $$
#variable_conflict use_column
declare
  s sessions%rowtype;
  v_version_state text;
  v_was_idle boolean;
  v_is_steering boolean;
  v_on_busy text;
  v_limits jsonb := p_limits;
  -- What blocks the session besides its turn.
  v_blocked text;
begin
  select * into s from sessions where id = p_session and organization_id = p_organization and deleted_at is null
    for no key update;
  if not found then outcome := 'not_found'; return next; return; end if;
  if s.state <> 'open' then outcome := 'closed'; detail := s.state; return next; return; end if;

  select state, (manifest -> 'retries' ->> 'max_attempts')::int into v_version_state, max_attempts
    from versions where id = s.version_id;
  -- A build that ends right now must either see this session blocked, or be seen here as ended.
  if v_version_state = 'building' then
    select state into v_version_state from versions where id = s.version_id for share;
  end if;
  if v_version_state = 'failed' then outcome := 'version_failed'; max_attempts := null; return next; return; end if;

  v_on_busy := coalesce(p_on_busy, s.on_busy);
  if v_on_busy = 'reject' and s.pending > 0 then outcome := 'busy'; return next; return; end if;

  if p_inputs <> '[]' then
    -- The share lock keeps a file from being deleted between this check and the insert of the row that refers to it.
    perform 1 from files f join jsonb_array_elements(p_inputs) i on f.id = i ->> 'file_id'
      where f.organization_id = p_organization and f.deleted_at is null for key share of f;
    select i ->> 'file_id' into detail from jsonb_array_elements(p_inputs) i
      where not exists (select 1 from files f where f.id = i ->> 'file_id'
        and f.organization_id = p_organization and f.deleted_at is null) limit 1;
    if detail is not null then outcome := 'unknown_file'; return next; return; end if;
    if exists (select 1 from session_inputs x join jsonb_array_elements(p_inputs) i on x.path = i ->> 'path'
      where x.session_id = p_session and x.message_id is distinct from p_retry_of) then
      outcome := 'input_clash';
      return next; return;
    end if;
  end if;

  if p_limits is null and p_retry_of is not null then
    select limits into v_limits from messages where id = p_retry_of and organization_id = p_organization;
  end if;

  sequence_number := s.next_sequence_number;
  -- Files are placed only when a turn starts, and limits are those of a turn. A turn that waits for an input takes
  -- nothing.
  v_is_steering := v_on_busy = 'steer' and p_inputs = '[]' and v_limits is null and s.schedule <> 'idle'
    and s.blocked_reason is distinct from 'input';
  steers := v_is_steering and s.schedule = 'leased';
  insert into messages (id, organization_id, session_id, sequence_number, parts, metadata, max_attempts, retry_of,
      is_background, is_steering, conversation_digest, limits)
    values (p_message, p_organization, p_session, sequence_number, p_parts, p_metadata, max_attempts, p_retry_of,
      p_background, v_is_steering, p_conversation_digest, v_limits);
  if p_inputs <> '[]' then
    insert into session_inputs (session_id, organization_id, path, message_id, file_id)
      select p_session, p_organization, i ->> 'path', p_message, i ->> 'file_id' from jsonb_array_elements(p_inputs) i
      on conflict (session_id, path) do update set message_id = excluded.message_id, file_id = excluded.file_id;
  end if;

  v_was_idle := s.schedule = 'idle';
  schedule := s.schedule;
  dispatch_number := s.dispatch_number;
  if v_was_idle then
    v_blocked := case when v_version_state = 'building' then 'build'
      else hold_reason(p_organization, s.agent_id, p_session) end;
    if v_blocked is not null then schedule := 'blocked';
    elsif p_dispatch_ttl_ms is not null and not counts_turns(p_organization, s.agent_id, p_session, p_batch) then
      schedule := 'dispatched';
      dispatch_number := dispatch_number + 1;
    else schedule := 'ready';
    end if;
  end if;

  insert into events (session_id, sequence_number, organization_id, type, message_id, data)
    select p_session, s.next_event_number + number, p_organization, type, message, data from (values
      (0, 'user.message', p_message, jsonb_build_object('parts', p_parts, 'metadata', p_metadata)),
      (1, 'message.status_changed', p_message, '{"status": "queued"}'),
      (2, 'session.status_changed', null, '{"status": "active"}')
    ) as told (number, type, message, data) where number < 2 or v_was_idle;
  update sessions set
    next_sequence_number = next_sequence_number + 1,
    pending = pending + 1,
    next_event_number = next_event_number + 2 + v_was_idle::int,
    last_message_id = p_message,
    schedule = accept_message.schedule,
    dispatch_number = accept_message.dispatch_number,
    blocked_reason = coalesce(v_blocked, blocked_reason),
    -- An interactive message moves the session to its lane, also ahead of the session's background messages.
    is_background = p_background and (v_was_idle or s.is_background),
    batch_id = case when v_was_idle then p_batch else s.batch_id end,
    limit_group = case when v_was_idle then coalesce(group_of(p_batch), 0) else s.limit_group end,
    ready_at = case when v_was_idle then case accept_message.schedule when 'ready' then clock_timestamp() end
      else ready_at end,
    lease_until = case when v_was_idle and accept_message.schedule = 'dispatched'
      then clock_timestamp() + p_dispatch_ttl_ms * interval '1 millisecond' else lease_until end
  where id = p_session;
  outcome := 'accepted';
  -- A message that only queues behind others moves nothing and delivers nothing.
  if not v_was_idle then schedule := null; end if;
  if not v_was_idle and v_on_busy not in ('enqueue', 'reject', 'steer') then
    select w.ended, w.stopping, w.schedule into ended, stopping, schedule
      from make_way(p_session, p_message, v_on_busy, p_merge_parts, p_merge_bytes) w;
  end if;
  return next;
end $$;

-- Does to open messages what p_on_busy says. The caller holds the session's row lock. merge: the newest messages that
-- have not begun, as many as fit into both limits, become part of the new one; interrupt: the turn that has begun is
-- cancelled; rollback: all messages are cancelled and leave the conversation.
create or replace function make_way(
  p_session text, p_message text, p_on_busy text, p_parts_max int, p_bytes_max int
) returns table (ended text[], stopping text, schedule text) language plpgsql as $$
#variable_conflict use_column
declare
  v_before text;
begin
  select x.schedule into v_before from sessions x where x.id = p_session;
  if p_on_busy = 'merge' then ended := merge_waiting(p_session, p_message, p_parts_max, p_bytes_max);
  else
    select t.ended, t.stopping into ended, stopping from take_back(p_session, p_message, p_on_busy) t;
  end if;
  select nullif(x.schedule, v_before) into schedule from sessions x where x.id = p_session;
  return next;
end $$;

-- See make_way. Only messages of the same sender and with the same limits become one. Returns what became part of the
-- message, newest first.
create or replace function merge_waiting(p_session text, p_message text, p_parts_max int, p_bytes_max int)
returns text[] language plpgsql as $$
declare
  s sessions%rowtype;
  m messages%rowtype;
  v_ended text[] := '{}';
  v_parts jsonb;
  v_more jsonb;
  v_before text;
  v_since timestamptz;
  v_sender jsonb;
  v_limits jsonb;
begin
  select schedule into v_before from sessions where id = p_session;
  select parts, sender_of(metadata), limits into v_parts, v_sender, v_limits from messages where id = p_message;
  -- From the end, so that the session never becomes ready for a message that is about to end.
  for m in select * from messages where session_id = p_session and id <> p_message and completed_at is null
    order by sequence_number desc for no key update
  loop
    -- A message that waits for its retry has begun. One that the running attempt has taken belongs to its turn.
    exit when m.started_at is not null or m.steered_attempt is not null;
    -- Otherwise one sender's message would contain another one's words.
    exit when sender_of(m.metadata) is distinct from v_sender or m.limits is distinct from v_limits;
    v_more := m.parts || v_parts;
    exit when jsonb_array_length(v_more) > p_parts_max or octet_length(v_more::text) > p_bytes_max;
    v_parts := v_more;
    v_since := m.created_at;
    update session_inputs set message_id = p_message where message_id = m.id;
    select * into s from sessions where id = p_session;
    perform end_queued_message(s, m, 'completed', null, p_message);
    v_ended := v_ended || m.id;
  end loop;
  if v_since is not null then
    update messages set parts = v_parts where id = p_message;
    -- The new message keeps the place of the oldest merged one.
    update sessions set ready_at = least(ready_at, v_since)
      where id = p_session and schedule = 'ready' and v_before <> 'ready';
  end if;
  return v_ended;
end $$;

-- A session token writes this name into the metadata of its messages, and nothing else but its end user.
create or replace function is_from_token(p_metadata jsonb) returns boolean language sql immutable as $$
  select p_metadata ? 'session_token_id'
$$;

-- Equal for messages of one end user, and for those of keys that name none.
create or replace function sender_of(p_metadata jsonb) returns jsonb language sql immutable as $$
  select jsonb_build_array(is_from_token(p_metadata), p_metadata -> 'end_user_id', p_metadata -> 'end_user_name')
$$;

-- See make_way. For interrupt and rollback, and for `cancel`: all messages, without a new one. What the running attempt
-- has taken ends with its turn, which may still complete; a rolled-back turn never does. Two statements, however
-- many messages wait: each gets what end_queued_message writes for one, newest first.
create or replace function take_back(p_session text, p_message text, p_on_busy text)
returns table (ended text[], stopping text) language plpgsql as $$
#variable_conflict use_column
declare
  s sessions%rowtype;
  v_head text;
  v_begun boolean;
  v_pending int;
  v_schedule text;
  v_event bigint;
begin
  ended := '{}';
  select * into s from sessions where id = p_session;
  select m.id, m.started_at is not null into v_head, v_begun from messages m
    where m.session_id = p_session and m.completed_at is null order by m.sequence_number limit 1;
  -- Only the first open message can have begun.
  if p_on_busy = 'interrupt' and not v_begun then return next; return; end if;

  update messages m set cancel_requested_at = coalesce(m.cancel_requested_at, clock_timestamp()),
      interrupted_by = case p_on_busy when 'interrupt' then p_message else m.interrupted_by end,
      rolled_back_by = case p_on_busy when 'rollback' then p_message else m.rolled_back_by end
    where m.id = v_head and m.state = 'running' returning m.id into stopping;
  with taken as (
    update messages m set state = 'cancelled', output = cancelled_output(), completed_at = clock_timestamp(),
      interrupted_by = case p_on_busy when 'interrupt' then p_message else m.interrupted_by end,
      rolled_back_by = case p_on_busy when 'rollback' then p_message else m.rolled_back_by end
    where m.session_id = p_session and m.completed_at is null and m.id is distinct from p_message
      and m.state <> 'running' and (p_on_busy <> 'interrupt' or m.id = v_head)
      and (m.steered_attempt is null or p_on_busy = 'rollback')
    returning m.id, m.sequence_number),
  numbered as (
    select t.id, s.next_event_number + 2 * (row_number() over (order by t.sequence_number desc) - 1) as n from taken t),
  told as (
    insert into events (session_id, sequence_number, organization_id, type, message_id, data)
    select p_session, x.n + k, s.organization_id,
      case k when 0 then 'message.status_changed' else 'message.cancelled' end, x.id,
      case k when 0 then '{"status": "cancelled"}'::jsonb else '{}' end
    from numbered x cross join generate_series(0, 1) k)
  select coalesce(array_agg(x.id order by x.n), '{}') into ended from numbered x;
  if cardinality(ended) = 0 then return next; return; end if;

  v_pending := s.pending - cardinality(ended);
  v_event := s.next_event_number + 2 * cardinality(ended);
  if s.blocked_reason = 'input' then perform end_input(p_session, 'cancelled'); end if;
  -- A dispatch, a retry or an input belonged to the first message. The new one is dispatched separately.
  v_schedule := case when v_pending = 0 then 'idle'
    when v_head = any (ended) and (s.schedule in ('dispatched', 'retry_wait') or s.blocked_reason = 'input')
      then 'ready' else s.schedule end;
  if v_schedule = 'idle' then
    insert into events (session_id, sequence_number, organization_id, type, data)
      values (p_session, v_event, s.organization_id, 'session.status_changed', '{"status": "idle"}');
    v_event := v_event + 1;
  end if;
  update sessions x set pending = v_pending, schedule = v_schedule,
    blocked_reason = case when v_schedule = 'blocked' then x.blocked_reason end,
    ready_at = case when v_schedule = x.schedule then x.ready_at when v_schedule = 'ready' then clock_timestamp() end,
    lease_until = case when v_schedule = x.schedule then x.lease_until end,
    next_event_number = v_event
  where x.id = p_session;
  return next;
end $$;
