-- Recordings: the answers that a completed message got from models, kept so that its turn can be replayed.

-- Keeps the recorded answers of a message whose turn completes, if the version says for how long. Called before the
-- message ends, because its end deletes what is not kept. Not kept: answers of a turn that depended on more than its
-- message (an input of its agent, a message that steered it), of a replay, of an unstored session, of an organization
-- that does not allow recording, and what exceeds the storage quota together with the new workspace: a turn never fails
-- because of it. p_total_bytes: of that workspace; null: it stays. The caller holds the session's row.
create or replace function keep_recording(s sessions, m messages, p_total_bytes bigint) returns void
language plpgsql as $$
declare
  v_days int := (select (v.manifest #>> '{retries,record_answers,keep_days}')::int from versions v
    where v.id = s.version_id);
  v_most bigint;
  v_answers int;
  v_bytes bigint;
  v_growth bigint;
begin
  if v_days is null or not m.has_recorded_answers or m.replay_of is not null or m.resume_snapshot_id is not null
    or s.deleted_at is not null or s.is_unstored or exists (select 1 from answer_recording_settings x
      where x.organization_id = s.organization_id and x.mode = 'never') then return; end if;
  if exists (select 1 from messages t where t.session_id = s.id and t.steered_into = m.id
    and t.steered_event is not null) then return; end if;
  perform 1 from agents where id = s.agent_id and deleted_at is null;
  if not found then return; end if;
  delete from recorded_answers where session_id = s.id and message_id = m.id and fence <= last_failed_fence(m.id);
  select count(*), coalesce(sum(size_bytes), 0) into v_answers, v_bytes from recorded_answers
    where session_id = s.id and message_id = m.id;
  if v_answers = 0 then return; end if;
  select max_storage_bytes into v_most from organizations where id = s.organization_id;
  if v_most is not null then
    -- The workspace becomes the session's head, and counts, only later in this transaction.
    v_growth := coalesce(p_total_bytes
      - coalesce((select total_bytes from snapshots where id = s.head_snapshot_id), 0), 0);
    if hold_count(s.organization_id, 'storage_bytes') + v_growth + v_bytes > v_most then return; end if;
  end if;
  insert into recordings (session_id, message_id, organization_id, agent_id, answers, size_bytes, expires_at)
    values (s.id, m.id, s.organization_id, s.agent_id, v_answers, v_bytes,
      clock_timestamp() + v_days * interval '1 day');
end $$;

-- Returns what a replay answers requests with: {of, asksModels, answers}. No answers if the recording is gone.
-- (primary keys)
create or replace function replay_of(m messages) returns json language sql stable as $$
  select json_build_object('of', m.replay_of, 'asksModels', m.replay_asks_models is not false, 'answers', coalesce((
    select json_agg(json_build_object('digest', x.digest, 'ordinal', x.ordinal, 'objectKey', x.object_key,
      'sizeBytes', x.size_bytes))
    from messages o join recordings r on r.session_id = o.session_id and r.message_id = o.id
      join recorded_answers x on x.session_id = o.session_id and x.message_id = o.id
    where o.id = m.replay_of and o.organization_id = m.organization_id), '[]'))
$$;

-- Marks a message that was just accepted into a fork as the replay of a message, and the fork with its id. The caller's
-- transaction has created both. It has the limits of the original's request, without raises, and one attempt: a failure
-- is its result.
create or replace function mark_replay(p_session text, p_message text, p_of text, p_asks_models boolean) returns void
language plpgsql as $$
begin
  update messages set replay_of = p_of, replay_asks_models = p_asks_models, max_attempts = 1,
      limits = (select o.limits from messages o where o.id = p_of)
    where id = p_message and session_id = p_session and state = 'queued';
  -- Unmarked, it would ask models.
  if not found then raise exception 'message % is not queued in session %', p_message, p_session; end if;
  update sessions set metadata = metadata || jsonb_build_object('replay_of', p_of) where id = p_session;
  update events set data = jsonb_set(data, '{metadata,replay_of}', to_jsonb(p_of))
    where session_id = p_session and sequence_number = 1 and type = 'session.created';
end $$;
