-- Why: counting an attempt writes its own row only; whether a message failed is told by a column that changes at its
-- end, so that a claim rewrites no index of messages.
-- Locks: messages and attempts for a moment, to add columns that are null.
-- Breaking for the release before: no.

alter table attempts
  -- True: its entrypoint was called, and its message's attempts are added to when it ends.
  add counts_at_end boolean not null default false;

alter table messages
  -- When it failed; null of a fork's copies.
  add failed_at timestamptz;
