-- Accept a message in one statement and one commit. The row lock on the session orders sequence numbers.
-- schedule: what this call moved the session to; null where it was not idle.
-- outcome: accepted | not_found | closed | version_failed | unknown_file | input_clash
create or replace function accept_message(
  p_organization text, p_session text, p_message text, p_parts jsonb, p_metadata jsonb,
  p_inputs jsonb, p_dispatch_ttl_ms int
) returns table (outcome text, sequence_number int, schedule text, dispatch_number bigint, max_attempts int, detail text)
language plpgsql as $$
#variable_conflict use_column
declare
  s sessions%rowtype;
  v_version versions%rowtype;
  v_was_idle boolean;
  v_event bigint;
begin
  select * into s from sessions where id = p_session and organization_id = p_organization and deleted_at is null
    for no key update;
  if not found then outcome := 'not_found'; return next; return; end if;
  if s.state <> 'open' then outcome := 'closed'; detail := s.state; return next; return; end if;

  select * into v_version from versions where id = s.version_id;
  -- A build that ends right now must either see this session blocked or be seen here as ended.
  if v_version.state = 'building' then select * into v_version from versions where id = s.version_id for share; end if;
  if v_version.state = 'failed' then outcome := 'version_failed'; return next; return; end if;

  -- The share lock keeps a file from being deleted between this check and the row that refers to it.
  perform 1 from files f join jsonb_array_elements(p_inputs) i on f.id = i ->> 'file_id'
    where f.organization_id = p_organization and f.deleted_at is null for key share of f;
  select i ->> 'file_id' into detail from jsonb_array_elements(p_inputs) i
    where not exists (select 1 from files f where f.id = i ->> 'file_id'
      and f.organization_id = p_organization and f.deleted_at is null) limit 1;
  if detail is not null then outcome := 'unknown_file'; return next; return; end if;
  if exists (select 1 from session_inputs x join jsonb_array_elements(p_inputs) i on x.path = i ->> 'path'
    where x.session_id = p_session) then outcome := 'input_clash'; return next; return; end if;

  sequence_number := s.next_sequence_number;
  max_attempts := (v_version.manifest -> 'retries' ->> 'max_attempts')::int;
  insert into messages (id, organization_id, session_id, sequence_number, parts, metadata, max_attempts)
    values (p_message, p_organization, p_session, sequence_number, p_parts, p_metadata, max_attempts);
  insert into session_inputs (session_id, organization_id, path, message_id, file_id)
    select p_session, p_organization, i ->> 'path', p_message, i ->> 'file_id' from jsonb_array_elements(p_inputs) i;

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
  if not v_was_idle then schedule := null; end if;
  return next;
end $$;
