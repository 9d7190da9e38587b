-- How a program without leases, fences and fair shares writes a turn: the same rows into the same tables, one statement
-- per step. No session has a schedule and no turn waits for its session's other turns. Steps lock the session first.
create schema plain;

create function plain.accept(p_organization text, p_session text, p_message text, p_parts jsonb, p_metadata jsonb)
returns boolean language plpgsql as $$
declare
  v_number int;
  v_event bigint;
begin
  update dari.sessions set next_sequence_number = next_sequence_number + 1, next_event_number = next_event_number + 3,
    last_message_id = p_message where id = p_session and organization_id = p_organization
    returning next_sequence_number - 1, next_event_number - 3 into v_number, v_event;
  if not found then return false; end if;
  insert into dari.messages (id, organization_id, session_id, sequence_number, parts, metadata, max_attempts)
    values (p_message, p_organization, p_session, v_number, p_parts, p_metadata, 3);
  insert into dari.events (session_id, sequence_number, organization_id, type, message_id, data) values
    (p_session, v_event, p_organization, 'user.message', p_message,
      jsonb_build_object('parts', p_parts, 'metadata', p_metadata)),
    (p_session, v_event + 1, p_organization, 'message.status_changed', p_message, '{"status": "queued"}'),
    (p_session, v_event + 2, p_organization, 'session.status_changed', null, '{"status": "active"}');
  return true;
end $$;

create function plain.start(p_session text, p_message text, p_attempt text, p_worker text) returns jsonb
language plpgsql as $$
declare
  v_organization text;
  v_event bigint;
  v_number int;
  v_parts jsonb;
begin
  update dari.sessions set next_event_number = next_event_number + 2 where id = p_session
    returning organization_id, next_event_number - 2 into v_organization, v_event;
  update dari.messages set state = 'running', fence = sequence_number, attempts = 1, started_at = clock_timestamp()
    where id = p_message returning sequence_number, parts into v_number, v_parts;
  insert into dari.attempts
    (id, organization_id, session_id, message_id, number, fence, worker_id, called_at, guarantees)
    values (p_attempt, v_organization, p_session, p_message, 1, v_number, p_worker, clock_timestamp(), '{}');
  insert into dari.events (session_id, sequence_number, organization_id, type, message_id, attempt_id, data) values
    (p_session, v_event, v_organization, 'message.status_changed', p_message, null, '{"status": "running"}'),
    (p_session, v_event + 1, v_organization, 'attempt.started', p_message, p_attempt, '{"number": 1}');
  return v_parts;
end $$;

create function plain.finish(
  p_session text, p_message text, p_attempt text, p_snapshot text, p_output jsonb, p_tree_hash text, p_timings jsonb
) returns text language plpgsql as $$
declare
  s dari.sessions%rowtype;
begin
  select * into s from dari.sessions where id = p_session for no key update;
  update dari.sessions set next_event_number = s.next_event_number + 6, head_snapshot_id = p_snapshot
    where id = p_session;
  insert into dari.snapshots (id, organization_id, session_id, parent_id, message_id, kind, is_full, tree_hash, files,
      total_bytes)
    values (p_snapshot, s.organization_id, p_session, s.head_snapshot_id, p_message, 'turn', true, p_tree_hash, 0, 0);
  update dari.attempts set ended_at = clock_timestamp(), outcome = 'completed' where id = p_attempt;
  update dari.messages set state = 'completed', output = p_output, snapshot_id = p_snapshot, timings = p_timings,
    fence = null, completed_at = clock_timestamp() where id = p_message;
  insert into dari.events (session_id, sequence_number, organization_id, type, message_id, attempt_id, data) values
    (p_session, s.next_event_number, s.organization_id, 'attempt.ended', p_message, p_attempt,
      '{"outcome": "completed"}'),
    (p_session, s.next_event_number + 1, s.organization_id, 'assistant.message_completed', p_message, p_attempt,
      jsonb_build_object('output', p_output)),
    (p_session, s.next_event_number + 2, s.organization_id, 'workspace.committed', p_message, p_attempt,
      jsonb_build_object('snapshot_id', p_snapshot, 'files_changed', '[]'::jsonb)),
    (p_session, s.next_event_number + 3, s.organization_id, 'message.status_changed', p_message, null,
      '{"status": "completed"}'),
    (p_session, s.next_event_number + 4, s.organization_id, 'message.completed', p_message, null, '{}'),
    (p_session, s.next_event_number + 5, s.organization_id, 'session.status_changed', null, null, '{"status": "idle"}');
  return p_message;
end $$;
