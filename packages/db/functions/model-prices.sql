-- Returns the hosts of prices that fit a request's host: the host itself without its port, `*.` and each domain above
-- it, and `*`. Null without a host, and for a host that looks like a pattern.
create or replace function price_hosts(p_host text) returns text[] language sql immutable strict as $$
  select array['*', h.host] || array(
      select '*.' || array_to_string(h.labels[i:], '.') from generate_series(2, cardinality(h.labels)) i)
  from (select host, string_to_array(host, '.') as labels from split_part(p_host, ':', 1) host) h
  where h.host <> '' and strpos(h.host, '*') = 0
$$;

-- Returns the price of a model in the price list in force today (UTC); no row if no price fits. An exact host is
-- preferred, then the longest pattern; of its models the exact one, then the longest beginning. (primary key of
-- model_prices)
create or replace function price_of(p_host text, p_model text) returns setof model_prices language sql stable as $$
  select p.* from model_prices p
  where p.valid_from = (
      select max(valid_from) from model_prices where valid_from <= (current_timestamp at time zone 'UTC')::date)
    and p.host = any (price_hosts(p_host))
    and (p.model = p_model or right(p.model, 1) = '*' and starts_with(p_model, left(p.model, -1)))
  order by starts_with(p.host, '*'), length(p.host) desc, right(p.model, 1) = '*', length(p.model) desc limit 1
$$;

-- Returns what a request to a model costs in micro-dollars. An error without tokens costs nothing. Null: it has no
-- price, or no tokens are known. The result is capped at a million dollars: counts come from hosts that can invent
-- them, and must not add up to an overflow.
create or replace function model_cost(
  p_host text, p_model text, p_status int, p_input bigint, p_cached bigint, p_cache_write bigint, p_output bigint
) returns bigint language sql stable as $$
  select case
    when p_input is null and p_output is null then case when p_status >= 400 then 0 end
    else (
      select least(1000000000000, round((
          greatest(0, coalesce(p_input, 0)::numeric - coalesce(p_cached, 0) - coalesce(p_cache_write, 0))
            * p.input_price
          + coalesce(p_cached, 0)::numeric * coalesce(p.cached_input_price, p.input_price)
          + coalesce(p_cache_write, 0)::numeric * coalesce(p.cache_write_price, p.input_price)
          + coalesce(p_output, 0)::numeric * p.output_price) / 1000000))::bigint
      from price_of(p_host, p_model) p)
  end
$$;

-- Returns the most that a request can cost in micro-dollars: all its input at the highest price of input. Null: its
-- tokens are not known.
create or replace function worst_cost(p model_prices, p_input bigint, p_output bigint) returns bigint
language sql immutable as $$
  select case when p_input is not null and p_output is not null
    then least(1000000000000, ceil((p_input::numeric
        * greatest(p.input_price, p.cached_input_price, p.cache_write_price)
      + p_output::numeric * p.output_price) / 1000000))::bigint end
$$;
