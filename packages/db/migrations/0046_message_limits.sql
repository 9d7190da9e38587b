-- Why: a message can limit the requests to models that all of its attempts make, and their tokens. A request reserves
-- what it can use before it goes out.
-- Locks: messages and model_requests for a moment each, to add a column without a default.
-- Breaking for the release before: no. Its workers do not apply the limits.

alter table messages
  -- The limits that the request set: requests, tokens. Null: only those of the manifest.
  add column limits jsonb;

alter table model_requests
  -- What the request can use, as input and output together. It counts until the result is known. Null: not reserved.
  add column reserved_tokens bigint check (reserved_tokens >= 0);
