-- Rolls a session's head back to its state after a message. Later messages are kept and marked as no longer part of the
-- conversation. Only while the session is idle.
-- outcome: done | not_found | closed | busy | no_message | merged | rolled_back | no_workspace
create or replace function rollback_session(p_organization text, p_session text, p_message text)
returns text language plpgsql as $$
declare
  s sessions%rowtype;
  m messages%rowtype;
  v_head text;
  v_messages int;
  v_snapshots int;
begin
  select * into s from sessions where id = p_session and organization_id = p_organization and deleted_at is null
    for no key update;
  if not found then return 'not_found'; end if;
  select * into m from messages where id = p_message and session_id = p_session;
  if not found then return 'no_message'; end if;
  if s.state <> 'open' then return 'closed'; end if;
  if s.schedule <> 'idle' then return 'busy'; end if;
  if m.merged_into is not null or m.steered_into is not null then return 'merged'; end if;
  if m.rolled_back_at is not null or m.rolled_back_by is not null then return 'rolled_back'; end if;
  if m.lacks_workspace then return 'no_workspace'; end if;

  v_head := head_after(s, m);
  -- A message that steered an earlier turn stays with that turn.
  update messages x set rolled_back_at = clock_timestamp()
    where x.session_id = p_session and x.sequence_number > m.sequence_number and x.rolled_back_at is null
      and not exists (
        select 1 from messages t where t.id = x.steered_into and t.sequence_number <= m.sequence_number);
  get diagnostics v_messages = row_count;
  -- An imported session's first snapshot is newer than its messages.
  update snapshots set rolled_back_at = clock_timestamp() where session_id = p_session and kind in ('turn', 'write')
    and created_at > m.completed_at and rolled_back_at is null and id is distinct from s.base_snapshot_id;
  get diagnostics v_snapshots = row_count;
  if v_messages = 0 and v_snapshots = 0 then return 'done'; end if;
  insert into events (session_id, sequence_number, organization_id, type, message_id, data)
    values (p_session, s.next_event_number, p_organization, 'session.rolled_back', p_message,
      jsonb_build_object('snapshot_id', v_head));
  update sessions set head_snapshot_id = v_head, next_event_number = next_event_number + 1
    where id = p_session and schedule = 'idle' and head_snapshot_id is not distinct from s.head_snapshot_id;
  return 'done';
end $$;

-- Makes a snapshot that no turn made the session's head, if the head is still its parent. p_idle: refuses also while
-- messages wait; otherwise only while a turn runs, or one that has begun waits to continue, because its work started
-- from this head. p_message: the message whose attempt left the snapshot, or null.
-- outcome: written | not_found | closed | busy | moved
create or replace function write_head(
  p_organization text, p_session text, p_snapshot jsonb, p_files_changed jsonb, p_message text, p_idle boolean
) returns text language plpgsql as $$
declare
  s sessions%rowtype;
begin
  select * into s from sessions where id = p_session and organization_id = p_organization and deleted_at is null
    for no key update;
  if not found then return 'not_found'; end if;
  if s.state <> 'open' then return 'closed'; end if;
  if s.schedule = 'leased' or (p_idle and s.schedule <> 'idle') then return 'busy'; end if;
  if s.pending > 0 and (select coalesce(m.resume_snapshot_id, m.raised_limits::text) from messages m
    where m.session_id = p_session and m.completed_at is null order by m.sequence_number limit 1) is not null then
    return 'busy';
  end if;
  if s.head_snapshot_id is distinct from p_snapshot ->> 'parent_id' then return 'moved'; end if;
  perform counted_in(p_organization, 'storage_bytes', greatest(0, (p_snapshot ->> 'total_bytes')::bigint
    - coalesce((select total_bytes from snapshots where id = s.head_snapshot_id), 0)));
  insert into snapshots (id, organization_id, session_id, parent_id, message_id, kind, object_key, is_full, delta_depth,
      tree_hash, size_bytes, files, total_bytes)
    values (p_snapshot ->> 'id', p_organization, p_session, s.head_snapshot_id, p_message, 'write',
      p_snapshot ->> 'object_key', (p_snapshot ->> 'is_full')::boolean, (p_snapshot ->> 'delta_depth')::int,
      p_snapshot ->> 'tree_hash', (p_snapshot ->> 'size_bytes')::bigint, (p_snapshot ->> 'files')::int,
      (p_snapshot ->> 'total_bytes')::bigint);
  insert into events (session_id, sequence_number, organization_id, type, data)
    values (p_session, s.next_event_number, p_organization, 'workspace.committed',
      jsonb_build_object('snapshot_id', p_snapshot ->> 'id', 'files_changed', p_files_changed));
  update sessions set head_snapshot_id = p_snapshot ->> 'id', next_event_number = next_event_number + 1
    where id = p_session;
  return 'written';
end $$;
