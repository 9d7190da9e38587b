-- The period that a budget is in now. Days and months are those of UTC.
create or replace function period_start(p_period text) returns timestamptz language sql as $$
  select case p_period when 'total' then '-infinity' else date_trunc(p_period, clock_timestamp(), 'UTC') end
$$;

-- Whether a budget lets no further turn begin. Turns that are on their way count as used, so that no more begin than
-- there is room for.
create or replace function is_over(b budgets) returns boolean language plpgsql as $$
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

-- Why a session's next turn may not begin; null: it may. (primary key of platform_stops, unique index of budgets)
create or replace function hold_reason(p_organization text, p_agent text, p_session text) returns text
language plpgsql as $$
begin
  if exists (select 1 from platform_stops) then return 'paused'; end if;
  if exists (select 1 from budgets b where b.organization_id = p_organization
    and b.target_id in (p_organization, p_agent, p_session) and is_over(b)) then return 'budget'; end if;
  return null;
end $$;

-- Whether anything may hold this organization's sessions.
create or replace function is_watched(p_organization text) returns boolean language sql as $$
  select exists (select 1 from budgets where organization_id = p_organization) or exists (select 1 from platform_stops)
$$;

-- Charges an attempt whose entrypoint was called to the budgets that it is part of. In the transaction of its end.
create or replace function charge_budgets(s sessions, a attempts, p_usage jsonb) returns void language plpgsql as $$
begin
  if a.called_at is null
    or not exists (select 1 from budgets where organization_id = s.organization_id) then return; end if;
  -- In one order, so that two ends never wait for each other.
  perform 1 from budgets b where b.organization_id = s.organization_id
    and b.target_id in (s.organization_id, s.agent_id, s.id) order by b.id for no key update;
  update budgets b set
    turns = case when b.period_started_at < period_start(b.period) then 0 else b.turns end + 1,
    turn_seconds = case when b.period_started_at < period_start(b.period) then 0 else b.turn_seconds end
      + greatest(0, extract(epoch from clock_timestamp() - a.claimed_at)),
    tokens = case when b.period_started_at < period_start(b.period) then 0 else b.tokens end + tokens_of(p_usage),
    period_started_at = period_start(b.period)
  where b.organization_id = s.organization_id and b.target_id in (s.organization_id, s.agent_id, s.id);
end $$;

-- What an answer cost at its model, as far as the agent's SDK says.
create or replace function tokens_of(p_usage jsonb) returns bigint language sql immutable as $$
  select coalesce((p_usage ->> 'total_tokens')::numeric,
    coalesce((p_usage ->> 'input_tokens')::numeric, 0) + coalesce((p_usage ->> 'output_tokens')::numeric, 0))::bigint
$$;

-- Gives held sessions back to ready that nothing holds any more, in the place of their acceptance; of one organization,
-- or, where that is null, of all. Level-triggered: it also finds those that were held while their budget was raised.
create or replace function release_held_sessions(p_organization text, p_limit int)
returns table (session_id text, organization_id text)
language plpgsql as $$
#variable_conflict use_column
begin
  if exists (select 1 from platform_stops)
    or not exists (select 1 from sessions where blocked_reason in ('budget', 'paused')) then return; end if;
  return query
    with over as materialized (select b.organization_id, b.target_id from budgets b where is_over(b)),
    free as (
      select s.id from sessions s where s.blocked_reason in ('budget', 'paused') and s.schedule = 'blocked'
        and (p_organization is null or s.organization_id = p_organization)
        and not exists (select 1 from over o where o.organization_id = s.organization_id
          and o.target_id in (s.organization_id, s.agent_id, s.id))
      order by s.organization_id, s.id limit p_limit for no key update of s skip locked)
    update sessions s set schedule = 'ready', blocked_reason = null, ready_at = accepted_at(s.id)
    where s.id in (select id from free) returning s.id, s.organization_id;
end $$;
