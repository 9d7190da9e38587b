-- Records requests of the running attempt to models. A repeated ordinal replaces its row. False once superseded.
create or replace function record_model_requests(p_session text, p_fence bigint, p_token uuid, p_requests jsonb)
returns boolean language plpgsql as $$
begin
  if not hold_claim(p_session, p_fence, p_token) then return false; end if;
  -- The end of the attempt commits synchronously, and makes earlier writes durable too.
  perform set_config('synchronous_commit', 'off', true);
  insert into model_requests (message_id, fence, ordinal, organization_id, session_id, attempt_id, requests, host,
      format, model, status, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
      finish_reason, duration_ms, is_complete, unread, cost_microusd)
    select a.message_id, a.fence, r.ordinal, a.organization_id, a.session_id, a.id, r.requests, r.host, r.format,
      r.model, r.status, r.input, r."cachedInput", r."cacheWrite", r.output, r.reasoning, r."finishReason",
      r."durationMs", r."isComplete", r.unread,
      model_cost(r.host, r.model, r.status, r.input, r."cachedInput", r."cacheWrite", r.output)
    from attempts a cross join jsonb_to_recordset(p_requests) as r (ordinal int, requests int, host text, format text,
      model text, status int, input bigint, "cachedInput" bigint, "cacheWrite" bigint, output bigint, reasoning bigint,
      "finishReason" text, "durationMs" bigint, "isComplete" boolean, unread text)
    where a.session_id = p_session and a.fence = p_fence
    on conflict (message_id, fence, ordinal) do update set requests = excluded.requests, host = excluded.host,
      format = excluded.format, model = excluded.model, status = excluded.status,
      input_tokens = excluded.input_tokens, cached_input_tokens = excluded.cached_input_tokens,
      cache_write_tokens = excluded.cache_write_tokens, output_tokens = excluded.output_tokens,
      reasoning_tokens = excluded.reasoning_tokens, finish_reason = excluded.finish_reason, unread = excluded.unread,
      duration_ms = excluded.duration_ms,
      is_complete = excluded.is_complete,
      -- A repeated statement must not price the same request by a list that was imported meanwhile.
      cost_microusd = case when (model_requests.host, model_requests.model, model_requests.status,
          model_requests.input_tokens, model_requests.cached_input_tokens, model_requests.cache_write_tokens,
          model_requests.output_tokens) is not distinct from (excluded.host, excluded.model, excluded.status,
          excluded.input_tokens, excluded.cached_input_tokens, excluded.cache_write_tokens, excluded.output_tokens)
        then model_requests.cost_microusd else excluded.cost_microusd end;
  return true;
end $$;
