-- Claims a session that the caller has locked: a new fence and a random token, its first open message running, a new
-- attempt. The message is read in a later statement than the lock, so that a cancel that held the lock is seen.
create or replace function claim_locked_session(
  p_session text, p_worker text, p_attempt text, p_lease_ms int, p_guarantees jsonb
) returns table (message_id text, fence bigint, claim_token uuid, attempt_number int, uncounted_claims int)
language plpgsql as $$
#variable_conflict use_column
declare
  m messages%rowtype;
  v_timeout interval;
  v_event bigint;
begin
  select * into m from messages where session_id = p_session and completed_at is null
    order by sequence_number limit 1;
  if not found or m.state <> 'queued' then
    raise exception 'session % is dispatched without a queued head', p_session;
  end if;
  v_timeout := turn_timeout(p_session);
  attempt_number := m.attempts + 1;
  uncounted_claims := m.uncounted_claims;
  message_id := m.id;

  update sessions s set schedule = 'leased', fence = s.fence + 1, claim_token = gen_random_uuid(), worker_id = p_worker,
    ready_at = null, lease_until = clock_timestamp() + p_lease_ms * interval '1 millisecond',
    lease_limit = clock_timestamp() + v_timeout + interval '15 minutes', next_event_number = s.next_event_number + 2
    where s.id = p_session
    returning s.fence, s.claim_token, s.next_event_number - 2 into fence, claim_token, v_event;
  update messages x set state = 'running', fence = claim_locked_session.fence,
    uncounted_claims = x.uncounted_claims + 1,
    started_at = coalesce(x.started_at, clock_timestamp()) where x.id = m.id;
  insert into attempts (id, organization_id, session_id, message_id, number, fence, worker_id, guarantees)
    values (p_attempt, m.organization_id, p_session, m.id, attempt_number, fence, p_worker, p_guarantees);
  insert into events (session_id, sequence_number, organization_id, type, message_id, attempt_id, data) values
    (p_session, v_event, m.organization_id, 'message.status_changed', m.id, null, '{"status": "running"}'),
    (p_session, v_event + 1, m.organization_id, 'attempt.started', m.id, p_attempt,
      jsonb_build_object('number', attempt_number));
  return next;
end $$;

-- How long a session's turn may run, from its version. If that cannot be read, the manifest's default: the turn then
-- fails under its claim, with a reason, instead of being claimed forever.
create or replace function turn_timeout(p_session text) returns interval language plpgsql stable as $$
declare
  v_timeout interval;
begin
  select make_interval(secs => (v.manifest -> 'runtime' ->> 'timeout_seconds')::int) into v_timeout
    from versions v where v.id = (select s.version_id from sessions s where s.id = p_session);
  return coalesce(v_timeout, interval '30 minutes');
exception when data_exception or internal_error then
  return interval '30 minutes';
end $$;

-- Returns whether operators have stopped turns. If not, the answer holds until the transaction ends: a stop waits for
-- claims that got this answer, so none of them begins a turn after it.
create or replace function turns_are_stopped() returns boolean language plpgsql as $$
begin
  perform pg_advisory_xact_lock_shared(hashtext('dari platform stop'));
  return exists (select 1 from platform_stops);
end $$;

-- Stops turns from beginning once this transaction commits. A repeated call replaces the reason.
create or replace function stop_turns(p_reason text) returns void language plpgsql as $$
begin
  perform pg_advisory_xact_lock(hashtext('dari platform stop'));
  insert into platform_stops (reason) values (p_reason) on conflict (only_one) do update set reason = excluded.reason;
end $$;

-- Claims by a turn job. p_retry: what to do with a due retry: null leaves it to the caller, `take` claims it, `yield`
-- makes it ready, at the place of its acceptance.
-- outcome: claimed | early (not due yet) | due (left to the caller) | yielded | held (another lease is valid) | stale |
-- outdated (the worker's release may not claim)
create or replace function claim_turn(
  p_session text, p_dispatch_number bigint, p_worker text, p_attempt text, p_lease_ms int, p_guarantees jsonb,
  p_retry text default null
) returns table (outcome text, wait_ms int, organization_id text, message_id text, fence bigint, claim_token uuid,
  attempt_number int, uncounted_claims int)
language plpgsql as $$
#variable_conflict use_column
declare
  s sessions%rowtype;
begin
  if is_outdated(p_worker) then outcome := 'outdated'; return next; return; end if;
  -- By primary key only: with a condition on schedule, the planner could scan the partial index of all leases.
  select * into s from sessions where id = p_session for no key update;
  if not found or s.dispatch_number <> p_dispatch_number then outcome := 'stale'; return next; return; end if;
  organization_id := s.organization_id;
  if s.schedule = 'leased' then
    outcome := 'held';
    wait_ms := greatest(0, extract(epoch from s.lease_until - clock_timestamp()) * 1000);
    return next; return;
  end if;
  if s.schedule = 'retry_wait' then
    if s.ready_at > clock_timestamp() then
      outcome := 'early';
      wait_ms := extract(epoch from s.ready_at - clock_timestamp()) * 1000;
      return next; return;
    end if;
    if p_retry is null then outcome := 'due'; return next; return; end if;
    -- Nor may a retry begin while turns may not begin. The dispatcher holds it.
    if p_retry = 'yield' or turns_are_stopped() or hold_reason(s.organization_id, s.agent_id, s.id) is not null
      or counts_turns(s.organization_id, s.agent_id, s.id, s.batch_id) then
      update sessions set schedule = 'ready', ready_at = accepted_at(p_session) where id = p_session;
      outcome := 'yielded';
      return next; return;
    end if;
  elsif s.schedule <> 'dispatched' then
    outcome := 'stale';
    return next; return;
  elsif turns_are_stopped() then
    perform pause_session(p_session);
    outcome := 'stale';
    return next; return;
  end if;
  outcome := 'claimed';
  select c.message_id, c.fence, c.claim_token, c.attempt_number, c.uncounted_claims
    into message_id, fence, claim_token, attempt_number, uncounted_claims
    from claim_locked_session(p_session, p_worker, p_attempt, p_lease_ms, p_guarantees) c;
  return next;
end $$;

-- Claims any dispatched turn, without a queue: direct pull.
create or replace function claim_next_turn(p_worker text, p_attempt text, p_lease_ms int, p_guarantees jsonb)
returns table (session_id text, organization_id text, message_id text, fence bigint, claim_token uuid,
  attempt_number int, uncounted_claims int)
language plpgsql as $$
#variable_conflict use_column
declare
  v_tried text[] := '{}';
begin
  if is_outdated(p_worker) then return; end if;
  while cardinality(v_tried) < 10 loop
    select s.id, s.organization_id into session_id, organization_id from sessions s
      where s.schedule = 'dispatched' and s.id <> all (v_tried)
      order by s.lease_until limit 1 for no key update skip locked;
    if not found then return; end if;
    v_tried := v_tried || session_id;
    if turns_are_stopped() then
      perform pause_session(session_id);
      continue;
    end if;
    begin
      select c.message_id, c.fence, c.claim_token, c.attempt_number, c.uncounted_claims
        into message_id, fence, claim_token, attempt_number, uncounted_claims
        from claim_locked_session(session_id, p_worker, p_attempt, p_lease_ms, p_guarantees) c;
      return next;
      return;
    exception when raise_exception or data_exception or integrity_constraint_violation or internal_error then
      -- A broken row must not stay first forever. The invariants report it; the reaper tries again in a minute.
      update sessions set lease_until = clock_timestamp() + interval '1 minute' where id = session_id;
    end;
  end loop;
end $$;

-- Returns a claim again whose reply may be lost, by the id of its attempt, which only its worker knows. Returns nothing
-- if the claim was not committed, is over, or its entrypoint was called. Renews its lease, and restores what a crash of
-- the database may have undone: nothing was called before this reply. p_session: if known, its row is locked first, to
-- wait for a claim that still runs at the server.
create or replace function claim_again(p_worker text, p_attempt text, p_lease_ms int, p_session text default null)
returns table (session_id text, organization_id text, message_id text, fence bigint, claim_token uuid,
  attempt_number int, uncounted_claims int)
language plpgsql as $$
#variable_conflict use_column
declare
  s sessions%rowtype;
  a attempts%rowtype;
begin
  perform 1 from sessions where id = p_session for no key update;
  select * into s from sessions where id = (select x.session_id from attempts x where x.id = p_attempt)
    for no key update;
  if not found or s.schedule <> 'leased' or s.worker_id <> p_worker then return; end if;
  select * into a from attempts where id = p_attempt for no key update;
  if a.fence <> s.fence or a.called_at is not null then return; end if;
  update sessions set lease_until = least(clock_timestamp() + p_lease_ms * interval '1 millisecond', s.lease_limit)
    where id = s.id;
  update attempts set claimed_at = clock_timestamp() where id = a.id;
  session_id := s.id;
  organization_id := s.organization_id;
  message_id := a.message_id;
  fence := s.fence;
  claim_token := s.claim_token;
  attempt_number := a.number;
  select m.uncounted_claims - 1 into uncounted_claims from messages m where m.id = a.message_id;
  return next;
end $$;

-- Blocks a dispatched session, whose row the caller has locked, while turns are stopped.
create or replace function pause_session(p_session text) returns void language sql as $$
  update sessions set schedule = 'blocked', blocked_reason = 'paused', ready_at = null, lease_until = null
    where id = p_session
$$;

-- Returns whether this claim holds a session, whose row the caller has locked.
create or replace function is_held(s sessions, p_fence bigint, p_token uuid) returns boolean
language sql immutable as $$
  select s.schedule = 'leased' and s.fence = p_fence and s.claim_token = p_token
$$;

-- Returns whether this claim holds the session. Locks the row, so that what follows in the transaction is fenced.
create or replace function hold_claim(p_session text, p_fence bigint, p_token uuid) returns boolean
language plpgsql as $$
declare
  s sessions%rowtype;
begin
  select * into s from sessions where id = p_session for no key update;
  return found and is_held(s, p_fence, p_token);
end $$;

-- Records that the attempt's entrypoint is about to be called, so that the attempt counts when it ends. False once
-- superseded: only the holder of the session ends its attempt, under the attempt's row lock. Commits asynchronously: if
-- a crash of the database may have undone it, the attempt counts anyway (see with_call). p_parts: the message's parts
-- if a file was renamed; otherwise null.
create or replace function mark_called(p_session text, p_fence bigint, p_token uuid, p_parts jsonb) returns boolean
language plpgsql as $$
declare
  v_message text;
begin
  if p_parts is null then perform set_config('synchronous_commit', 'off', true); end if;
  update attempts set called_at = coalesce(called_at, clock_timestamp())
    where session_id = p_session and fence = p_fence and ended_at is null
      and p_token = (select claim_token from sessions where id = p_session)
    returning message_id into v_message;
  if not found then return false; end if;
  if p_parts is not null then update messages set parts = p_parts where id = v_message; end if;
  return true;
end $$;

-- Returns whether a message waits that take_steering would hand to the running attempt. (index messages_open)
create or replace function steering_waits(p_session text, p_fence bigint) returns boolean language sql stable as $$
  select coalesce((
    select m.is_steering and not a.is_full from attempts a join messages m on m.session_id = a.session_id
    where a.session_id = p_session and a.fence = p_fence and m.completed_at is null and m.id <> a.message_id
      and m.steered_attempt is distinct from a.id
    order by m.sequence_number limit 1), false)
$$;

-- Renews all leases of a worker at once. A claim that is missing from the result is lost. Locked rows are skipped, so
-- that one does not cost the worker its other leases: is_renewed is false, and the worker asks again soon.
-- steering_waits: see there.
create or replace function renew_leases(p_sessions text[], p_fences bigint[], p_tokens uuid[], p_lease_ms int)
returns table (session_id text, fence bigint, is_renewed boolean, cancel_requested boolean, steering_waits boolean)
language sql as $$
  -- A renewal that a crash of the database undoes is repeated before its lease expires.
  select set_config('synchronous_commit', 'off', true);
  with w as (select * from unnest(p_sessions, p_fences, p_tokens) as w (id, f, t)),
  mine as (
    select s.id, s.fence, s.claim_token, s.pending from w join sessions s on s.id = w.id
      and s.fence = w.f and s.claim_token = w.t),
  free as (
    select s.id from mine join sessions s on s.id = mine.id and s.claim_token = mine.claim_token
    for no key update of s skip locked),
  renewed as (
    update sessions s
    set lease_until = least(clock_timestamp() + p_lease_ms * interval '1 millisecond', s.lease_limit)
    from free where s.id = free.id returning s.id)
  select mine.id, mine.fence, mine.id in (select id from renewed), exists (
    select 1 from attempts a join messages m on m.id = a.message_id
    where a.session_id = mine.id and a.fence = mine.fence and m.cancel_requested_at is not null),
    mine.pending > 1 and steering_waits(mine.id, mine.fence)
  from mine
$$;
