-- Records requests of the running attempt to models. A repeated ordinal replaces its row. False once superseded.
create or replace function record_model_requests(p_session text, p_fence bigint, p_token uuid, p_requests jsonb)
returns boolean language plpgsql as $$
begin
  if not hold_claim(p_session, p_fence, p_token) then return false; end if;
  -- The end of the attempt commits synchronously, and makes earlier writes durable too.
  perform set_config('synchronous_commit', 'off', true);
  insert into model_requests (message_id, fence, ordinal, organization_id, session_id, attempt_id, requests, host,
      format, model, status, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
      finish_reason, duration_ms, is_complete, unread, is_recorded, cost_microusd)
    select a.message_id, a.fence, r.ordinal, a.organization_id, a.session_id, a.id, r.requests, r.host, r.format,
      r.model, r.status, r.input, r."cachedInput", r."cacheWrite", r.output, r.reasoning, r."finishReason",
      r."durationMs", r."isComplete", r.unread, coalesce(r."isRecorded", false),
      case when r."isRecorded" then 0
        -- It was reserved, and not sent. A row of several requests has no host.
        when r."isComplete" and r.status is null and r.host is not null then 0
        else model_cost(r.host, r.model, r.status, r.input, r."cachedInput", r."cacheWrite", r.output) end
    from attempts a cross join jsonb_to_recordset(p_requests) as r (ordinal int, requests int, host text, format text,
      model text, status int, input bigint, "cachedInput" bigint, "cacheWrite" bigint, output bigint, reasoning bigint,
      "finishReason" text, "durationMs" bigint, "isComplete" boolean, unread text, "isRecorded" boolean)
    where a.session_id = p_session and a.fence = p_fence
    on conflict (message_id, fence, ordinal) do update set requests = excluded.requests, host = excluded.host,
      format = excluded.format, model = excluded.model, status = excluded.status,
      input_tokens = excluded.input_tokens, cached_input_tokens = excluded.cached_input_tokens,
      cache_write_tokens = excluded.cache_write_tokens, output_tokens = excluded.output_tokens,
      reasoning_tokens = excluded.reasoning_tokens, finish_reason = excluded.finish_reason, unread = excluded.unread,
      duration_ms = excluded.duration_ms,
      is_complete = excluded.is_complete, is_recorded = excluded.is_recorded,
      -- A repeated statement must not price the same request by a list that was imported meanwhile.
      cost_microusd = case when (model_requests.host, model_requests.model, model_requests.status,
          model_requests.input_tokens, model_requests.cached_input_tokens, model_requests.cache_write_tokens,
          model_requests.output_tokens, model_requests.is_complete) is not distinct from (excluded.host,
          excluded.model, excluded.status, excluded.input_tokens, excluded.cached_input_tokens,
          excluded.cache_write_tokens, excluded.output_tokens, excluded.is_complete)
        then model_requests.cost_microusd else excluded.cost_microusd end;
  return true;
end $$;

-- Returns whether it is known what a request has used. An answer that is cut, or that ends with an error, may have used
-- more than it says. A refusal has used nothing, nor has a request that was not sent: it is complete without a status.
create or replace function is_use_known(r model_requests) returns boolean language sql immutable as $$
  select r.is_complete and (r.status is null or r.status >= 400
    or r.input_tokens is not null and r.output_tokens is not null and r.finish_reason is distinct from 'error')
$$;

-- Returns the tokens that a request counts with in the limit of its message: what the provider has counted, and what
-- was reserved while that is not known.
create or replace function tokens_held(r model_requests) returns bigint language sql immutable as $$
  select case when r.reserved_tokens is null or is_use_known(r)
      then coalesce(r.input_tokens, 0) + coalesce(r.output_tokens, 0)
    else greatest(r.reserved_tokens, coalesce(r.input_tokens, 0) + coalesce(r.output_tokens, 0)) end
$$;

-- Returns the micro-dollars that a request counts with, as tokens_held does. An answer whose model has no price keeps
-- what it has reserved.
create or replace function cost_held(r model_requests) returns bigint language sql immutable as $$
  select case when r.reserved_cost_microusd is null or is_use_known(r) and r.cost_microusd is not null
      then coalesce(r.cost_microusd, 0)
    else greatest(r.reserved_cost_microusd, r.cost_microusd) end
$$;

-- Returns the limit of a message's cost in micro-dollars. Null: none.
create or replace function cost_limit(p_message text) returns bigint language sql stable as $$
  select round((limits_of(m, v.manifest) ->> 'cost_usd')::numeric * 1000000)::bigint
  from messages m join sessions s on s.id = m.session_id join versions v on v.id = s.version_id
  where m.id = p_message
$$;

-- Reserves a request of the running attempt, before it goes out. All attempts of the message count. Commits
-- synchronously: what was sent must not be forgotten. Safe to repeat. No row once superseded.
-- p_tokens: the most that it can use; null: not known, so that it reserves what is left. p_input: those of its input.
-- p_model: the model that it asks for; null: not known, so that it reserves what is left of the cost.
-- outcome: reserved | requests | tokens | cost (the limit that is reached) | price (the cost is limited, and the model
-- has none)
-- requests, tokens, cost: what the message holds without it. Recorded answers hold nothing. unknown, unknown_cost:
-- those that only a reservation counts. max_cost: the limit, which is read here so that it also holds for workers that
-- do not know it, but limits. asked_cost: what this request can cost; null: not known. Costs are micro-dollars.
create or replace function reserve_model_request(
  p_session text, p_fence bigint, p_token uuid, p_ordinal int, p_host text, p_format text, p_tokens bigint,
  p_max_requests bigint, p_max_tokens bigint, p_input bigint default null, p_model text default null
) returns table (outcome text, requests bigint, tokens bigint, unknown bigint, cost bigint, unknown_cost bigint,
  max_cost bigint, asked_cost bigint) language plpgsql as $$
#variable_conflict use_column
declare
  a attempts%rowtype;
  p model_prices%rowtype;
begin
  if not hold_claim(p_session, p_fence, p_token) then return; end if;
  select * into a from attempts where session_id = p_session and fence = p_fence;
  select coalesce(sum(r.requests) filter (where not r.is_recorded), 0),
      coalesce(sum(tokens_held(r)), 0),
      coalesce(sum(tokens_held(r) - coalesce(r.input_tokens, 0) - coalesce(r.output_tokens, 0)), 0),
      coalesce(sum(cost_held(r)), 0), coalesce(sum(cost_held(r) - coalesce(r.cost_microusd, 0)), 0)
    into requests, tokens, unknown, cost, unknown_cost
    from model_requests r where r.message_id = a.message_id and (r.fence, r.ordinal) <> (p_fence, p_ordinal);
  max_cost := cost_limit(a.message_id);
  if max_cost is not null and p_model is not null then
    -- Read once: a list that is imported now must not be found by a part of this statement.
    select * into p from price_of(p_host, p_model);
    if found then asked_cost := worst_cost(p, p_input, p_tokens - p_input); end if;
  end if;
  outcome := case when requests >= p_max_requests then 'requests'
    when tokens + coalesce(p_tokens, 1) > p_max_tokens then 'tokens'
    when max_cost is not null and p_model is not null and p.model is null then 'price'
    when cost + coalesce(asked_cost, 1) > max_cost then 'cost' else 'reserved' end;
  if outcome = 'reserved' then
    insert into model_requests (message_id, fence, ordinal, organization_id, session_id, attempt_id, requests, host,
        format, duration_ms, is_complete, reserved_tokens, reserved_cost_microusd)
      values (a.message_id, p_fence, p_ordinal, a.organization_id, p_session, a.id, 1, p_host, p_format, 0, false,
        case when p_max_tokens is not null then coalesce(p_tokens, p_max_tokens - tokens) end,
        coalesce(asked_cost, max_cost - cost))
      on conflict do nothing;
  end if;
  return next;
end $$;
