-- Records an answer that the running attempt got from a model, whose object is stored. A repeated call replaces the
-- row. Commits synchronously: the next request of the agent may wait for it.
-- p_answer: {digest, ordinal, objectKey, sizeBytes}. Returns stored; full: the message has the maximum number or bytes
-- of recorded answers; refused: the claim is superseded. If it is not stored, the caller deletes the object.
create or replace function record_answer(
  p_session text, p_fence bigint, p_token uuid, p_answer jsonb, p_rows_max int, p_bytes_max bigint
) returns text language plpgsql as $$
declare
  m messages%rowtype;
  v_digest text := p_answer ->> 'digest';
  v_ordinal int := (p_answer ->> 'ordinal')::int;
  v_key text := p_answer ->> 'objectKey';
  v_bytes bigint := (p_answer ->> 'sizeBytes')::bigint;
  v_rows int;
  v_kept bigint;
begin
  if not hold_claim(p_session, p_fence, p_token) then return 'refused'; end if;
  select x.* into m from attempts a join messages x on x.id = a.message_id
    where a.session_id = p_session and a.fence = p_fence;
  -- No row may name an object that is being deleted.
  delete from tombstones where object_key = v_key and doomed_at is null;
  if exists (select 1 from tombstones where object_key = v_key) then return 'refused'; end if;
  -- Nothing reads these, so they must not take the room of others.
  delete from recorded_answers where session_id = p_session and message_id = m.id and fence <= last_failed_fence(m.id);
  select count(*), coalesce(sum(size_bytes), 0) into v_rows, v_kept from recorded_answers
    where session_id = p_session and message_id = m.id and (digest, ordinal) <> (v_digest, v_ordinal);
  if v_rows >= p_rows_max or v_kept + v_bytes > p_bytes_max then return 'full'; end if;
  if not m.has_recorded_answers then update messages set has_recorded_answers = true where id = m.id; end if;
  insert into recorded_answers (session_id, message_id, digest, ordinal, organization_id, fence, object_key, size_bytes)
    values (p_session, m.id, v_digest, v_ordinal, m.organization_id, p_fence, v_key, v_bytes)
    on conflict (session_id, message_id, digest, ordinal) do update
      set fence = excluded.fence, object_key = excluded.object_key, size_bytes = excluded.size_bytes,
        created_at = excluded.created_at;
  return 'stored';
end $$;

-- Returns the fence of the last attempt that failed; 0: none. It may have failed because of its answers, so those until
-- its end are not used: the retry asks the models again. (index attempts_by_message)
create or replace function last_failed_fence(p_message text) returns bigint language sql stable as $$
  select coalesce(max(a.fence), 0) from attempts a
  where a.message_id = p_message and a.outcome = 'retry' and a.called_at is not null
    and a.failure ->> 'code' not in ('worker_lost', 'internal_error')
$$;

-- See turn_details.
create or replace function recorded_answers_of(p_session text, p_message text)
returns table (digest text, ordinal int, "objectKey" text, "sizeBytes" bigint) language sql stable as $$
  select x.digest, x.ordinal, x.object_key, x.size_bytes from recorded_answers x
  where x.session_id = p_session and x.message_id = p_message and x.fence > last_failed_fence(p_message)
$$;
