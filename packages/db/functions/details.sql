-- Returns all that a turn starts from, read after its claim: the statements of a volatile function see what was
-- committed before each of them. By primary keys and indexes of the session.
-- history: earlier messages of the conversation, oldest first: completed ones (without merged ones) and interrupted
-- ones; the newest within both limits. inputs: files to place before the turn: of its message, and of messages since
-- the last committed turn, whose turns failed with them. egress: the network rules, by who set them; null: none.
-- max_…: the limits of the organization; null: the platform's.
-- answers: to the inputs of the message, if an attempt of it was suspended; resume_…: where it continues.
-- steering_waits: see there. taken_before: the messages that suspended attempts of the message have taken, in order;
-- null: none.
-- steps, recorded_answers: what earlier attempts of the message have recorded; null: nothing.
-- answer_recording: whether the organization allows that answers are recorded.
-- limits: of the message's requests to models, as raised by answers; null: none.
-- replay: see replay_of; null: the message is no replay.
create or replace function turn_details(p_message text, p_history_messages int, p_history_bytes int)
returns table (organization_id text, agent_id text, version_id text, manifest jsonb, image jsonb, parts jsonb,
  metadata jsonb, max_attempts int, head_snapshot_id text, cancel_requested boolean, created_at timestamptz,
  started_at timestamptz, max_bytes bigint, max_files int, max_file_bytes bigint, history json, inputs json,
  resume_snapshot_id text, resume_inputs jsonb, answers json, egress json, max_turn_memory_bytes bigint,
  max_turn_cpus double precision, steering_waits boolean, taken_before json,
  steps json, limits jsonb, recorded_answers json, replay json, answer_recording text)
language plpgsql as $$
#variable_conflict use_column
begin
  return query select m.organization_id, s.agent_id, s.version_id, v.manifest, v.image, m.parts, m.metadata,
    m.max_attempts, s.head_snapshot_id, m.cancel_requested_at is not null, m.created_at, m.started_at,
    o.max_workspace_bytes, o.max_workspace_files, o.max_workspace_file_bytes,
    case when m.sequence_number > 1 then (select json_agg(h)
      from history_before(m.session_id, m.sequence_number, p_history_messages, p_history_bytes) h) end,
    case when exists (select 1 from session_inputs i where i.session_id = m.session_id) then (select json_agg(f)
      from inputs_to_place(m.session_id, m.sequence_number) f) end,
    m.resume_snapshot_id, m.resume_inputs,
    case when m.resume_snapshot_id is not null then (select json_object_agg(a.key, a.value)
      from message_inputs a where a.message_id = m.id and a.budget is null) end,
    (select json_object_agg(e.set_by, json_build_object('mode', e.mode, 'hosts', e.hosts) order by e.set_by)
      from (select set_by, mode, hosts from egress_settings where organization_id = m.organization_id
        union all select 'session', 'off', '{}' where s.internet_access is false) e),
    o.max_turn_memory_bytes, o.max_turn_cpus,
    s.pending > 1 and steering_waits(s.id, m.fence),
    case when m.resume_snapshot_id is not null then (
      select json_agg(json_build_object('id', t.id, 'parts', t.parts) order by t.sequence_number) from messages t
      where t.session_id = m.session_id and t.steered_into = m.id and t.steered_event is not null
        and t.completed_at is not null) end,
    case when m.has_steps then (select json_agg(json_build_object('name', p.name, 'ordinal', p.ordinal,
        'json', p.result)) from message_steps p where p.session_id = m.session_id and p.message_id = m.id) end,
    limits_of(m, v.manifest),
    case when m.has_recorded_answers then (select json_agg(x) from recorded_answers_of(m.session_id, m.id) x) end,
    case when m.replay_of is not null then replay_of(m) end,
    coalesce((select r.mode from answer_recording_settings r where r.organization_id = m.organization_id), 'allowed')
  from messages m join sessions s on s.id = m.session_id join versions v on v.id = s.version_id
    join organizations o on o.id = m.organization_id
  where m.id = p_message;
end $$;

-- Returns the lower value of each limit; null if neither has one.
create or replace function lower_limits(p_one jsonb, p_other jsonb) returns jsonb language sql immutable as $$
  select nullif(jsonb_strip_nulls(jsonb_build_object(
    'requests', least((p_one ->> 'requests')::bigint, (p_other ->> 'requests')::bigint),
    'tokens', least((p_one ->> 'tokens')::bigint, (p_other ->> 'tokens')::bigint),
    'cost_usd', least((p_one ->> 'cost_usd')::numeric, (p_other ->> 'cost_usd')::numeric))), '{}')
$$;

-- Returns the limits of a message's requests to models: those of the request and the manifest, as raised by answers.
create or replace function limits_of(m messages, p_manifest jsonb) returns jsonb language sql immutable as $$
  select lower_limits(p_manifest -> 'limits', m.limits) || coalesce(m.raised_limits, '{}')
$$;

-- See turn_details. steered: the parts of each message that the turn has taken, in order; null: none.
-- (index messages (session_id, sequence_number), messages_steered)
create or replace function history_before(p_session text, p_number int, p_messages int, p_bytes int)
returns table (parts jsonb, output jsonb, steered jsonb) language sql stable as $$
  select parts, output, steered from (
    select *, sum(octet_length(parts::text) + coalesce(octet_length(output::text), 0)
        + coalesce(octet_length(steered::text), 0))
      over (order by sequence_number desc) as bytes
    from (
      select id, sequence_number, parts,
        case when state = 'completed' or output #> '{parts,0}' is not null then output end as output
      from messages x
      where x.session_id = p_session and x.sequence_number < p_number
        and rolled_back_by is null and rolled_back_at is null
        and (state = 'completed' and merged_into is null or state = 'cancelled' and interrupted_by is not null)
      order by sequence_number desc limit p_messages) newest
      cross join lateral (
        select jsonb_agg(t.parts order by t.sequence_number) as steered from messages t
        where t.session_id = p_session and t.steered_into = newest.id and t.steered_event is not null) taken) measured
  where bytes <= p_bytes order by sequence_number
$$;

-- See turn_details. Starts from the session's inputs, of which there are few or none: without statistics, the planner
-- may expect fewer messages. A message that was cancelled before it began has placed nothing. (index session_inputs
-- (session_id, path))
create or replace function inputs_to_place(p_session text, p_number int)
returns table (path text, "messageId" text, "objectKey" text, "sizeBytes" bigint, sha256 text)
language sql stable as $$
  select i.path, i.message_id, f.object_key, f.size_bytes, f.sha256
  from (select * from session_inputs where session_id = p_session offset 0) i
    join messages x on x.id = i.message_id join files f on f.id = i.file_id
  where x.sequence_number <= p_number
    and x.rolled_back_by is null and x.rolled_back_at is null
    and (x.state <> 'cancelled' or x.started_at is not null)
    and x.sequence_number > coalesce((
      select max(done.sequence_number) from messages done
      where done.session_id = p_session and done.state = 'completed' and done.merged_into is null
        and done.rolled_back_at is null and done.sequence_number < p_number), 0)
  order by x.sequence_number, i.path
$$;
