-- Why: the requests of agents to models are priced by operators' price lists, and attempts keep the sums of their
-- requests, so that usage is summed without reading the requests.
-- Transaction: none. Each statement may be repeated.
-- Locks: model_requests and attempts for a moment each, to add columns that are null.
-- Breaking for the release before: no. It shows no costs.

-- The prices of a date are one list. The list with the latest date that is not in the future is in force.
create table if not exists model_prices (
  valid_from date not null,
  -- A host's name, `*.` and a domain for the hosts below it, or `*`. In lower case, without a port.
  host text not null,
  -- A model's name, or the beginning of one and `*`.
  model text not null,
  -- Micro-dollars (US) for a million tokens. Null: as for other input.
  input_price bigint not null check (input_price >= 0),
  cached_input_price bigint check (cached_input_price >= 0),
  cache_write_price bigint check (cache_write_price >= 0),
  output_price bigint not null check (output_price >= 0),
  primary key (valid_from, host, model)
);

-- Micro-dollars by the price list in force when the row was stored. Null: not known.
alter table model_requests add column if not exists cost_microusd bigint;

-- Sums of the attempt's rows in model_requests, written when it ends. Null: it has none, or it has not ended.
-- metered_cost_microusd is null also if no request has a cost.
alter table attempts
  add column if not exists metered_requests bigint,
  add column if not exists metered_tokens bigint,
  add column if not exists metered_cost_microusd bigint,
  add column if not exists unpriced_requests bigint;
