-- Records a value of the running attempt's message, whose object is stored. True if a row names the object now: also
-- if an earlier call recorded it. False: the claim is superseded, or the id is taken. The caller then deletes the
-- object. Fails if the organization may not store that many bytes more.
-- p_value: {id, object_key, media_type, size_bytes, sha256}.
create or replace function record_value(p_session text, p_fence bigint, p_token uuid, p_value jsonb) returns boolean
language plpgsql as $$
declare
  v_id text := p_value ->> 'id';
  v_key text := p_value ->> 'object_key';
begin
  if exists (select 1 from message_values where session_id = p_session and id = v_id) then
    return exists (select 1 from message_values where session_id = p_session and id = v_id and object_key = v_key);
  end if;
  if not hold_claim(p_session, p_fence, p_token) then return false; end if;
  insert into message_values (session_id, id, organization_id, message_id, object_key, media_type, size_bytes, sha256)
    select p_session, v_id, counted_in(a.organization_id, 'storage_bytes', (p_value ->> 'size_bytes')::bigint),
      a.message_id, v_key, p_value ->> 'media_type', (p_value ->> 'size_bytes')::bigint, p_value ->> 'sha256'
    from attempts a where a.session_id = p_session and a.fence = p_fence;
  return true;
end $$;
