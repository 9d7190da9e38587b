-- The start of a budget's current period. Days and months are in UTC.
create or replace function period_start(p_period text) returns timestamptz language sql as $$
  select case p_period when 'total' then '-infinity' else date_trunc(p_period, clock_timestamp(), 'UTC') end
$$;

-- Returns whether a budget lets no further turn begin. Running turns count as used, so that only as many begin as there
-- is room for. Stable: counts in the same snapshot in which the budget was read, so a turn that ends meanwhile is
-- either running or used.
create or replace function is_over(b budgets) returns boolean language plpgsql stable as $$
declare
  v_is_past boolean := b.period_started_at < period_start(b.period);
  v_on_their_way bigint := 0;
begin
  if b.max_turn_seconds <= (case when v_is_past then 0 else b.turn_seconds end) then return true; end if;
  if b.max_tokens <= (case when v_is_past then 0 else b.tokens end) then return true; end if;
  if b.max_turns is null then return false; end if;
  select count(*) into v_on_their_way from sessions s
    where s.schedule in ('dispatched', 'leased') and s.organization_id = b.organization_id
      and b.target_id in (s.organization_id, s.agent_id, s.id);
  return b.max_turns <= (case when v_is_past then 0 else b.turns end) + v_on_their_way;
end $$;

-- Returns why a session's next turn must not begin; null if it may. (primary key of platform_stops, unique index of
-- budgets)
create or replace function hold_reason(p_organization text, p_agent text, p_session text) returns text
language plpgsql as $$
begin
  if exists (select 1 from platform_stops) then return 'paused'; end if;
  if exists (select 1 from budgets b where b.organization_id = p_organization
    and b.target_id in (p_organization, p_agent, p_session) and is_over(b)) then return 'budget'; end if;
  return null;
end $$;

-- Returns whether a session's turns are counted before they begin: for a budget, or for the max_concurrency of its
-- agent or batch (p_batch: sessions.batch_id). Two transactions that count without seeing each other would both take
-- what is left. So for such sessions only the dispatcher lets turns begin, one transaction at a time (see
-- may_count_turns).
create or replace function counts_turns(p_organization text, p_agent text, p_session text, p_batch text) returns boolean
language sql as $$
  select p_batch is not null
    or exists (select 1 from budgets b where b.organization_id = p_organization
      and b.target_id in (p_organization, p_agent, p_session) and b.max_turns is not null)
    or exists (select 1 from agents a where a.id = p_agent and a.max_concurrency is not null)
$$;

-- Returns whether this transaction is, until it ends, the only one that lets turns of the organization begin. Does not
-- wait.
create or replace function may_count_turns(p_organization text) returns boolean language sql as $$
  select pg_try_advisory_xact_lock(hashtext('dari turn budgets'), hashtext(p_organization))
$$;

-- Returns whether a budget, a stop or a max_concurrency can hold back ready sessions of this organization. (indexes
-- agents_limited and sessions_ready)
create or replace function is_watched(p_organization text) returns boolean language sql as $$
  select exists (select 1 from budgets where organization_id = p_organization) or exists (select 1 from platform_stops)
    or exists (select 1 from agents where organization_id = p_organization and max_concurrency is not null)
    or exists (select 1 from sessions where schedule = 'ready' and organization_id = p_organization
      and not is_background and limit_group > 0)
    or exists (select 1 from sessions where schedule = 'ready' and organization_id = p_organization
      and is_background and limit_group > 0)
$$;

-- Records an attempt's end at its budgets, and charges it if its entrypoint was called. Runs in the transaction of the
-- end.
create or replace function charge_budgets(s sessions, a attempts, p_usage jsonb) returns void language plpgsql as $$
declare
  v_turns int := (a.called_at is not null)::int;
begin
  if not exists (select 1 from budgets where organization_id = s.organization_id) then return; end if;
  -- In one order, so that two ends never deadlock.
  perform 1 from budgets b where b.organization_id = s.organization_id
    and b.target_id in (s.organization_id, s.agent_id, s.id) order by b.id for no key update;
  update budgets b set
    turns = case when b.period_started_at < period_start(b.period) then 0 else b.turns end + v_turns,
    turn_seconds = case when b.period_started_at < period_start(b.period) then 0 else b.turn_seconds end
      + v_turns * greatest(0, extract(epoch from clock_timestamp() - a.claimed_at)),
    tokens = case when b.period_started_at < period_start(b.period) then 0 else b.tokens end
      + v_turns * tokens_of(p_usage),
    period_started_at = period_start(b.period),
    last_end_at = clock_timestamp()
  where b.organization_id = s.organization_id and b.target_id in (s.organization_id, s.agent_id, s.id);
end $$;

-- Tokens of an answer, as reported by the agent's SDK, capped at the largest possible limit. Invented numbers must not
-- add up to an overflow, which would roll back the ends of turns.
create or replace function tokens_of(p_usage jsonb) returns bigint language sql immutable as $$
  select least(1000000000000, coalesce((p_usage ->> 'total_tokens')::numeric,
    coalesce((p_usage ->> 'input_tokens')::numeric, 0) + coalesce((p_usage ->> 'output_tokens')::numeric, 0)))::bigint
$$;

-- Makes held sessions ready that nothing holds any more, at the place of their acceptance; of one organization, or of
-- all if null. Level-triggered: also finds sessions that were held while their budget was raised. Continues after a
-- place and takes at most p_looks steps: a session, or an agent whose sessions are all held (session_id: null). Returns
-- the steps; fewer than p_looks at the end. (index sessions_held)
create or replace function release_held_sessions(
  p_organization text, p_after_organization text, p_after_agent text, p_after_session text, p_looks int
) returns table (organization_id text, agent_id text, session_id text, is_released boolean)
language plpgsql as $$
#variable_conflict use_column
declare
  s record;
begin
  if exists (select 1 from platform_stops) then return; end if;
  organization_id := coalesce(p_after_organization, p_organization, '');
  agent_id := coalesce(p_after_agent, '');
  session_id := p_after_session;
  for i in 1..p_looks loop
    if session_id is null then
      select x.organization_id, x.agent_id, x.id into s from sessions x where x.blocked_reason in ('budget', 'paused')
        and (x.organization_id, x.agent_id) > (release_held_sessions.organization_id, release_held_sessions.agent_id)
        order by x.organization_id, x.agent_id, x.id limit 1;
    else
      select x.organization_id, x.agent_id, x.id into s from sessions x where x.blocked_reason in ('budget', 'paused')
        and (x.organization_id, x.agent_id, x.id)
          > (release_held_sessions.organization_id, release_held_sessions.agent_id, release_held_sessions.session_id)
        order by x.organization_id, x.agent_id, x.id limit 1;
    end if;
    if not found or s.organization_id <> p_organization then return; end if;
    is_released := false;
    organization_id := s.organization_id;
    agent_id := s.agent_id;
    session_id := null;
    if not exists (select 1 from budgets b where b.organization_id = s.organization_id
      and b.target_id in (s.organization_id, s.agent_id) and is_over(b)) then
      session_id := s.id;
      perform 1 from sessions x where x.id = s.id and x.schedule = 'blocked'
        and x.blocked_reason in ('budget', 'paused') for no key update skip locked;
      if found and hold_reason(s.organization_id, s.agent_id, s.id) is null then
        update sessions x set schedule = 'ready', blocked_reason = null, ready_at = accepted_at(s.id) where x.id = s.id;
        is_released := true;
      end if;
    end if;
    return next;
  end loop;
end $$;
