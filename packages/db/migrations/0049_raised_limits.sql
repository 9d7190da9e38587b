-- Why: a message that reaches one of its limits can ask a person for a higher one instead of failing.
-- Locks: messages and message_inputs for a moment each, to add a column without a default.
-- Breaking for the release before: no. Its workers stop at the limit, with `budget_exceeded`.

alter table message_inputs
  -- What the message has used of the limit that it asks to raise: limit, value, used, requested, needed. Null: the
  -- agent asks.
  add column budget jsonb;

alter table messages
  -- The limits that answers have raised. They replace those of the manifest and the request. Null: the message has not
  -- asked for a higher one.
  add column raised_limits jsonb;
