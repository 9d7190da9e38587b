-- Accept a message in one statement and one commit. The row lock on the session orders sequence numbers.
-- p_on_busy: what it does to those before it; null: as its session says. p_retry_of: whose inputs it takes over.
-- schedule: what this call moved the session to; null where that is where it stood.
-- ended, stopping: what this call has ended, and whose worker is to be told to stop.
-- outcome: accepted | not_found | closed | version_failed | busy | unknown_file | input_clash
create or replace function accept_message(
  p_organization text, p_session text, p_message text, p_parts jsonb, p_metadata jsonb,
  p_inputs jsonb, p_dispatch_ttl_ms int, p_on_busy text, p_retry_of text, p_merge_parts int, p_merge_bytes int
) returns table (outcome text, sequence_number int, schedule text, dispatch_number bigint, max_attempts int, detail text,
  ended text[], stopping text)
language plpgsql as $$
#variable_conflict use_column
declare
  s sessions%rowtype;
  v_version versions%rowtype;
  v_was_idle boolean;
  v_event bigint;
  v_on_busy text;
begin
  select * into s from sessions where id = p_session and organization_id = p_organization and deleted_at is null
    for no key update;
  if not found then outcome := 'not_found'; return next; return; end if;
  if s.state <> 'open' then outcome := 'closed'; detail := s.state; return next; return; end if;

  select * into v_version from versions where id = s.version_id;
  -- A build that ends right now must either see this session blocked or be seen here as ended.
  if v_version.state = 'building' then select * into v_version from versions where id = s.version_id for share; end if;
  if v_version.state = 'failed' then outcome := 'version_failed'; return next; return; end if;

  v_on_busy := coalesce(p_on_busy, s.on_busy);
  if v_on_busy = 'reject' and s.pending > 0 then outcome := 'busy'; return next; return; end if;

  -- The share lock keeps a file from being deleted between this check and the row that refers to it.
  perform 1 from files f join jsonb_array_elements(p_inputs) i on f.id = i ->> 'file_id'
    where f.organization_id = p_organization and f.deleted_at is null for key share of f;
  select i ->> 'file_id' into detail from jsonb_array_elements(p_inputs) i
    where not exists (select 1 from files f where f.id = i ->> 'file_id'
      and f.organization_id = p_organization and f.deleted_at is null) limit 1;
  if detail is not null then outcome := 'unknown_file'; return next; return; end if;
  if exists (select 1 from session_inputs x join jsonb_array_elements(p_inputs) i on x.path = i ->> 'path'
    where x.session_id = p_session and x.message_id is distinct from p_retry_of) then outcome := 'input_clash'; return next; return; end if;

  sequence_number := s.next_sequence_number;
  max_attempts := (v_version.manifest -> 'retries' ->> 'max_attempts')::int;
  insert into messages (id, organization_id, session_id, sequence_number, parts, metadata, max_attempts, retry_of)
    values (p_message, p_organization, p_session, sequence_number, p_parts, p_metadata, max_attempts, p_retry_of);
  insert into session_inputs (session_id, organization_id, path, message_id, file_id)
    select p_session, p_organization, i ->> 'path', p_message, i ->> 'file_id' from jsonb_array_elements(p_inputs) i
    on conflict (session_id, path) do update set message_id = excluded.message_id, file_id = excluded.file_id;

  v_was_idle := s.schedule = 'idle';
  schedule := s.schedule;
  dispatch_number := s.dispatch_number;
  if v_was_idle then
    if v_version.state = 'building' then schedule := 'blocked';
    elsif p_dispatch_ttl_ms is not null then schedule := 'dispatched'; dispatch_number := dispatch_number + 1;
    else schedule := 'ready';
    end if;
  end if;

  v_event := s.next_event_number;
  insert into events (session_id, sequence_number, organization_id, type, message_id, data) values
    (p_session, v_event, p_organization, 'user.message', p_message, jsonb_build_object('parts', p_parts, 'metadata', p_metadata)),
    (p_session, v_event + 1, p_organization, 'message.status_changed', p_message, '{"status": "queued"}');
  v_event := v_event + 2;
  if v_was_idle then
    insert into events (session_id, sequence_number, organization_id, type, data)
      values (p_session, v_event, p_organization, 'session.status_changed', '{"status": "active"}');
    v_event := v_event + 1;
  end if;

  update sessions set
    next_sequence_number = next_sequence_number + 1,
    pending = pending + 1,
    next_event_number = v_event,
    last_message_id = p_message,
    schedule = accept_message.schedule,
    dispatch_number = accept_message.dispatch_number,
    blocked_reason = case when v_was_idle and accept_message.schedule = 'blocked' then 'build' else blocked_reason end,
    ready_at = case when v_was_idle then case accept_message.schedule when 'ready' then clock_timestamp() end else ready_at end,
    lease_until = case when v_was_idle and accept_message.schedule = 'dispatched'
      then clock_timestamp() + p_dispatch_ttl_ms * interval '1 millisecond' else lease_until end
  where id = p_session;
  outcome := 'accepted';
  if not v_was_idle then
    select w.ended, w.stopping, w.schedule into ended, stopping, schedule
      from make_way(p_session, p_message, v_on_busy, p_merge_parts, p_merge_bytes) w;
  end if;
  return next;
end $$;

-- What an accepted message does to the open ones before it. The caller holds the session's row lock.
-- merge: the newest of them that have not begun, as many as fit with it into both bounds, become part of it;
-- interrupt: the turn that has begun is cancelled; rollback: all are, and leave the conversation.
create or replace function make_way(
  p_session text, p_message text, p_on_busy text, p_parts_max int, p_bytes_max int
) returns table (ended text[], stopping text, schedule text) language plpgsql as $$
#variable_conflict use_column
declare
  s sessions%rowtype;
  m messages%rowtype;
  v_parts jsonb;
  v_more jsonb;
  v_before text;
  v_since timestamptz;
begin
  ended := '{}';
  if p_on_busy in ('enqueue', 'reject') then return next; return; end if;
  select x.schedule into v_before from sessions x where x.id = p_session;
  select x.parts into v_parts from messages x where x.id = p_message;
  -- From the tail, so that the session never becomes ready for a message that is about to end.
  for m in select * from messages x where x.session_id = p_session and x.id <> p_message
    and x.state in ('queued', 'running', 'waiting_for_input') order by x.sequence_number desc for no key update
  loop
    select * into s from sessions x where x.id = p_session;
    -- One that waits for its retry has begun.
    if m.started_at is null and p_on_busy = 'interrupt' then continue; end if;
    if p_on_busy = 'merge' then
      exit when m.started_at is not null;
      v_more := m.parts || v_parts;
      exit when jsonb_array_length(v_more) > p_parts_max or octet_length(v_more::text) > p_bytes_max;
      v_parts := v_more;
      v_since := m.created_at;
      update session_inputs set message_id = p_message where message_id = m.id;
      perform end_queued_message(s, m, 'completed', null, p_message);
      ended := ended || m.id;
      continue;
    end if;
    update messages set
      interrupted_by = case p_on_busy when 'interrupt' then p_message else interrupted_by end,
      rolled_back_by = case p_on_busy when 'rollback' then p_message else rolled_back_by end,
      cancel_requested_at = case m.state when 'running' then coalesce(cancel_requested_at, clock_timestamp()) end
    where id = m.id;
    if m.state = 'running' then stopping := m.id;
    else
      perform end_queued_message(s, m, 'cancelled', cancelled_output());
      ended := ended || m.id;
    end if;
  end loop;
  if v_since is not null then update messages set parts = v_parts where id = p_message; end if;
  update sessions x set ready_at = least(x.ready_at, v_since) where x.id = p_session and x.schedule = 'ready'
    -- What was merged keeps the place of its acceptance.
    and v_before <> 'ready' and v_since is not null;
  select nullif(x.schedule, v_before) into schedule from sessions x where x.id = p_session;
  return next;
end $$;
