-- Messages that steer a running turn. The attempt that runs takes them, and they end with its turn.

-- Hands the messages that steer to the running attempt: those directly behind its own message, up to the first one that
-- was not sent to steer, and within both limits of the turn. The words of a session token steer only turns of the same
-- sender: the agent trusts the metadata of its turn's message. Appends an event for each, so its place among the
-- attempt's events is committed before the agent sees it. Returns what the attempt has taken after the first
-- p_received, [{id, parts}], so that a repeated call loses nothing. Null once superseded. A turn that was asked to stop
-- takes nothing more.
create or replace function take_steering(
  p_session text, p_fence bigint, p_token uuid, p_received int, p_messages_max int, p_bytes_max int
) returns jsonb language plpgsql as $$
declare
  s sessions%rowtype;
  a attempts%rowtype;
  m messages%rowtype;
  v_event bigint;
  v_messages int;
  v_bytes bigint;
  v_sender jsonb;
begin
  select * into s from sessions where id = p_session for no key update;
  if not found or is_held(s, p_fence, p_token) is not true then return null; end if;
  select * into a from attempts where session_id = p_session and fence = p_fence;
  select sender_of(metadata) into v_sender from messages where id = a.message_id;
  -- Also what suspended attempts of the turn have taken.
  select count(*), coalesce(sum(octet_length(parts::text)), 0) into v_messages, v_bytes from messages
    where session_id = p_session and steered_into = a.message_id and steered_event is not null;
  v_event := s.next_event_number;
  if exists (select 1 from messages where id = a.message_id and cancel_requested_at is null) then
    for m in select * from messages where session_id = p_session and completed_at is null and id <> a.message_id
      and steered_attempt is distinct from a.id order by sequence_number for no key update
    loop
      exit when not m.is_steering;
      exit when is_from_token(m.metadata) and sender_of(m.metadata) is distinct from v_sender;
      v_bytes := v_bytes + octet_length(m.parts::text);
      a.is_full := v_messages >= p_messages_max or v_bytes > p_bytes_max;
      exit when a.is_full;
      v_messages := v_messages + 1;
      a.steered_messages := a.steered_messages + 1;
      update messages set steered_into = a.message_id, steered_attempt = a.id, steered_event = v_event where id = m.id;
      insert into events (session_id, sequence_number, organization_id, type, message_id, attempt_id, data)
        values (p_session, v_event, s.organization_id, 'message.steered', m.id, a.id,
          jsonb_build_object('into', a.message_id));
      v_event := v_event + 1;
    end loop;
    update sessions set next_event_number = v_event where id = p_session;
    update attempts set steered_messages = a.steered_messages, is_full = a.is_full where id = a.id;
  end if;
  return (select coalesce(jsonb_agg(jsonb_build_object('id', t.id, 'parts', t.parts) order by t.sequence_number), '[]')
    from (select * from taken_by(a) order by sequence_number offset p_received) t);
end $$;

-- Returns what an attempt has taken. (index messages_steered)
create or replace function taken_by(a attempts) returns setof messages language sql stable as $$
  select * from messages where session_id = a.session_id and steered_into = a.message_id and steered_event is not null
    and steered_attempt = a.id
$$;

-- Hands back what the attempt has taken after its first p_delivered messages, which did not reach its agent: it waits
-- again. The caller holds the session's row lock.
create or replace function hand_back(a attempts, p_delivered int) returns void language sql as $$
  update messages set steered_into = null, steered_attempt = null, steered_event = null
    where completed_at is null and id in (
      select t.id from taken_by(a) t order by t.sequence_number offset greatest(p_delivered, 0))
$$;

-- Ends what the attempt has taken, with its turn; `completed` also if the turn waits for an input, because the side
-- snapshot contains the work on them. If the turn is repeated, they wait for the next attempt. The caller holds the
-- session's row lock. Returns the ids of those that ended, in order.
create or replace function end_taken(
  s sessions, a attempts, p_ending text, p_output jsonb, p_at timestamptz
) returns text[] language plpgsql as $$
declare
  v_ended text[];
begin
  if p_ending in ('retry', 'released', 'lost') then
    update messages set steered_into = null, steered_attempt = null, steered_event = null
      where session_id = s.id and completed_at is null and steered_attempt = a.id;
    return '{}';
  end if;
  with taken as (
    update messages set
      state = taken_status(p_ending),
      output = case p_ending when 'failed' then p_output when 'cancelled' then cancelled_output() end,
      merged_into = case taken_status(p_ending) when 'completed' then steered_into end,
      completed_at = p_at,
      failed_at = case p_ending when 'failed' then p_at end
    where session_id = s.id and completed_at is null and steered_attempt = a.id returning id, sequence_number)
  select coalesce(array_agg(id order by sequence_number), '{}') into v_ended from taken;
  return v_ended;
end $$;

create or replace function taken_status(p_ending text) returns text language sql immutable as $$
  select case p_ending when 'suspended' then 'completed' else p_ending end
$$;

-- Appends the last two events of each message that end_taken has ended: before those of their turn, so that a stream of
-- such a message continues with the turn. Returns the session's next event number.
create or replace function append_taken_ends(s sessions, p_ended text[], p_ending text) returns bigint
language plpgsql as $$
declare
  v_status text := taken_status(p_ending);
begin
  insert into events (session_id, sequence_number, organization_id, type, message_id, data)
    select s.id, s.next_event_number + 2 * (e.n - 1) + k, s.organization_id,
      case k when 0 then 'message.status_changed' else 'message.' || v_status end, e.id,
      case k when 0 then jsonb_build_object('status', v_status) else '{}' end
    from unnest(p_ended) with ordinality e (id, n) cross join generate_series(0, 1) k;
  return s.next_event_number + 2 * cardinality(p_ended);
end $$;
