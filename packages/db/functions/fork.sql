-- Returns the session's head at this message's end: its own snapshot if it completed, otherwise that of the last turn
-- or write before. The caller holds the session's row.
create or replace function head_after(s sessions, m messages) returns text language sql stable as $$
  select case
    when m.copied_from is not null then m.head_snapshot_id
    when m.snapshot_id is not null then m.snapshot_id
    else coalesce((
      select id from snapshots where session_id = s.id and kind in ('turn', 'write') and rolled_back_at is null
        and created_at <= m.completed_at order by created_at desc limit 1), s.base_snapshot_id)
  end
$$;

-- Returns an id in the platform's form: a prefix, 48 bits of milliseconds, random bits; Crockford base 32.
create or replace function new_id(p_prefix text) returns text language sql volatile as $$
  select p_prefix || '_' || string_agg(substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + digit, 1), '' order by place)
  from (
    select i as place, (ms >> (45 - 5 * i) & 31)::int as digit
      from (select (extract(epoch from clock_timestamp()) * 1000)::bigint as ms) t, generate_series(0, 9) i
    union all
    select 10 + i, get_byte(random, i) & 31
      from (select uuid_send(gen_random_uuid()) as random) r, generate_series(0, 15) i) digits
$$;

-- Returns the session's head from before this message, which has ended: the parent of the turn's snapshot.
create or replace function head_before(s sessions, m messages) returns text language sql stable as $$
  select case when m.snapshot_id is null then head_after(s, m)
    else (select parent_id from snapshots where id = m.snapshot_id) end
$$;

-- Creates a session with the conversation and the head that another one had after a message. No file is copied: the
-- head is the same snapshot. The conversation is copied in one statement.
-- p_message: null: the last completed one. p_without: leaves out that message, and uses the head from before it; the
-- message has run in this session. p_version: null: the source's.
-- outcome: forked | not_found | no_message | not_ended | open_before | merged | rolled_back | no_workspace | agent_gone
-- | version_not_ready
create or replace function fork_session(
  p_organization text, p_source text, p_message text, p_without boolean, p_session text, p_version text
) returns text language plpgsql as $$
declare
  s sessions%rowtype;
  m messages%rowtype;
  v_head text;
  v_from jsonb;
begin
  -- Shared, so that forks of one session do not wait for each other. Rollbacks and ends of turns wait.
  select * into s from sessions
    where id = p_source and organization_id = p_organization and deleted_at is null for share;
  if not found then return 'not_found'; end if;
  if p_message is null then
    select * into m from messages where session_id = p_source and state = 'completed' and merged_into is null
      and rolled_back_at is null order by sequence_number desc limit 1;
  else
    select * into m from messages where id = p_message and session_id = p_source;
    if not found then return 'no_message'; end if;
    if m.completed_at is null then return 'not_ended'; end if;
    if m.merged_into is not null or m.steered_into is not null then return 'merged'; end if;
    if m.rolled_back_at is not null or m.rolled_back_by is not null then return 'rolled_back'; end if;
  end if;
  if m.lacks_workspace then return 'no_workspace'; end if;
  if exists (select 1 from messages where session_id = p_source and sequence_number < m.sequence_number
    and completed_at is null) then return 'open_before'; end if;
  perform 1 from agents where id = s.agent_id and deleted_at is null;
  if not found then return 'agent_gone'; end if;
  if p_version is not null then
    perform 1 from versions where id = p_version and agent_id = s.agent_id and state = 'ready';
    if not found then return 'version_not_ready'; end if;
  end if;

  v_head := case when m.id is null then s.head_snapshot_id when p_without then head_before(s, m)
    else head_after(s, m) end;
  v_from := jsonb_build_object('session_id', p_source, 'message_id', m.id);
  perform counted_in(p_organization, 'storage_bytes',
    coalesce((select total_bytes from snapshots where id = v_head), 0)
    + values_up_to(p_source, coalesce(m.sequence_number, 0) - p_without::int));
  perform counted_in(p_organization, 'sessions', 1);
  insert into sessions (id, organization_id, agent_id, version_id, name, metadata, on_busy, internet_access,
      head_snapshot_id, base_snapshot_id, forked_from_session_id, forked_from_message_id)
    values (p_session, p_organization, s.agent_id, coalesce(p_version, s.version_id), s.name, s.metadata, s.on_busy,
      s.internet_access, v_head, v_head, p_source, m.id);
  insert into session_secrets (session_id, organization_id, name, sealed)
    select p_session, organization_id, name, sealed from session_secrets where session_id = p_source;
  insert into events (session_id, sequence_number, organization_id, type, data)
    select p_session, 1, p_organization, 'session.created', jsonb_build_object('agent_id', f.agent_id,
      'version_id', f.version_id, 'name', f.name, 'metadata', f.metadata, 'forked_from', v_from)
    from sessions f where f.id = p_session;
  perform copy_conversation(s, coalesce(m.sequence_number, 0) - p_without::int, p_session);
  return 'forked';
end $$;

-- The bytes of the values that copy_conversation copies. (primary keys of message_values and messages)
create or replace function values_up_to(p_session text, p_last int) returns bigint language sql stable as $$
  select coalesce(sum(v.size_bytes), 0)::bigint from message_values v join messages m on m.id = v.message_id
  where v.session_id = p_session and m.sequence_number <= p_last and m.merged_into is null
    and m.rolled_back_at is null and m.rolled_back_by is null
$$;

-- Copies the ended messages up to a number, with their files' paths, their values and their events, into a new session
-- that has one event. Leaves out messages that were rolled back or merged into a later one. A message that a turn has
-- taken is copied if that turn is.
create or replace function copy_conversation(s sessions, p_last int, p_session text) returns void language sql as $$
  with kept as materialized (
    select m.*, new_id('msg') as copy_id, row_number() over (order by m.sequence_number) as n, head_after(s, m) as head
    from (
      select id from messages where session_id = s.id and sequence_number <= p_last and merged_into is null
        and steered_into is null
      union all select x.id from messages x join messages t on t.id = x.steered_into
        where x.session_id = s.id and x.steered_event is not null and x.completed_at is not null
          and t.sequence_number <= p_last and t.rolled_back_by is null and t.rolled_back_at is null) own
      join messages m on m.id = own.id
    where m.rolled_back_at is null and m.rolled_back_by is null),
  -- Events about scheduling and attempts stay in the session in which they happened, and so do those of attempts that
  -- were repeated. The others keep the ids of their attempts, because ids of calls are unique only within an attempt.
  told as (
    select e.*, k.copy_id, 1 + row_number() over (order by e.sequence_number) as n,
      (select t.copy_id from kept t where t.id = k.steered_into) as into_id
    from events e join kept k on k.id = e.message_id
    where e.session_id = s.id and e.type not in ('message.status_changed', 'attempt.started', 'attempt.ended')
      and case when e.type = 'message.steered' then e.sequence_number = k.steered_event
        -- What it asked for is answered in the message, not in the attempt.
        else e.type = 'input.requested' or not exists (
          select 1 from events x where x.session_id = s.id and x.type = 'attempt.ended'
            and x.attempt_id = e.attempt_id and x.data ->> 'outcome' in ('retry', 'released', 'lost')) end),
  copies as (
    insert into messages (id, organization_id, session_id, sequence_number, state, parts, metadata, output,
        files_changed, attempts, max_attempts, snapshot_id, retry_of, interrupted_by, timings, created_at, started_at,
        completed_at, copied_from, head_snapshot_id, lacks_workspace, is_background, is_steering, merged_into,
        steered_into, steered_event)
      select k.copy_id, k.organization_id, p_session, k.n, k.state, k.parts, k.metadata, k.output, k.files_changed,
        k.attempts, k.max_attempts, k.snapshot_id, k.retry_of, k.interrupted_by, k.timings, k.created_at, k.started_at,
        k.completed_at, k.id, k.head, k.lacks_workspace, k.is_background, k.is_steering,
        case when k.merged_into is not null then t.copy_id end, t.copy_id,
        case when t.copy_id is not null then (
          select e.n from told e where e.copy_id = k.copy_id and e.type = 'message.steered') end
      from kept k left join kept t on t.id = k.steered_into),
  inputs as (
    insert into session_inputs (session_id, organization_id, path, message_id, file_id)
      select p_session, i.organization_id, i.path, k.copy_id, i.file_id
      from kept k join session_inputs i on i.message_id = k.id),
  -- Both sessions' rows name the same objects.
  named as (
    insert into message_values (session_id, id, organization_id, message_id, object_key, media_type, size_bytes, sha256)
      select p_session, v.id, v.organization_id, k.copy_id, v.object_key, v.media_type, v.size_bytes, v.sha256
      from message_values v join kept k on k.id = v.message_id where v.session_id = s.id),
  ledger as (
    insert into events (session_id, sequence_number, organization_id, type, message_id, attempt_id, data, created_at)
      select p_session, n, organization_id, type, copy_id, attempt_id,
        case type when 'message.steered' then jsonb_build_object('into', into_id) else data end, created_at from told)
  update sessions set
    next_sequence_number = 1 + (select count(*) from kept),
    next_event_number = 2 + (select count(*) from told),
    last_message_id = (select copy_id from kept order by n desc limit 1)
  where id = p_session
$$;
