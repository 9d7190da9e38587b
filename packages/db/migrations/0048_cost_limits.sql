-- Why: a message can limit the cost of its requests to models. A request reserves what it can cost before it goes out.
-- Locks: model_requests for a moment, to add a column without a default.
-- Breaking for the release before: no. Its workers do not apply the limits.

alter table model_requests
  -- Micro-dollars that the request can cost. They count until the cost is known. Null: not reserved.
  add column reserved_cost_microusd bigint;
