-- Records the result of a step of the running attempt's message. False once superseded. A step that is recorded stays
-- as it is, so the call is safe to repeat. Commits synchronously: the agent continues with the result.
-- p_usage: what the attempt has used so far; null: nothing. No attempt reports it again, so it must survive a lost
-- worker.
create or replace function record_step(
  p_session text, p_fence bigint, p_token uuid, p_name text, p_ordinal bigint, p_result text,
  p_usage jsonb default null
) returns boolean language plpgsql as $$
declare
  m messages%rowtype;
begin
  if not hold_claim(p_session, p_fence, p_token) then return false; end if;
  select x.* into m from attempts a join messages x on x.id = a.message_id
    where a.session_id = p_session and a.fence = p_fence;
  if not m.has_steps then update messages set has_steps = true where id = m.id; end if;
  if p_usage is not null then
    update attempts set usage = p_usage where session_id = p_session and fence = p_fence;
  end if;
  insert into message_steps (session_id, message_id, name, ordinal, organization_id, result)
    values (p_session, m.id, p_name, p_ordinal, m.organization_id, p_result) on conflict do nothing;
  return true;
end $$;
