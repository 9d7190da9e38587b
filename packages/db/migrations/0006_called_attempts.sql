-- Why: counting an attempt writes its own row only; whether a message failed is told by a column that changes at its
-- end, so that a claim rewrites no index of messages.
-- Transaction: none. Each table is locked by itself, because turns lock both in an order of their own.
-- Locks: messages and attempts for a moment each, to add columns that are null.
-- Breaking for the release before: it runs on, but does not start anew beside a newer schema.

-- True: its entrypoint was called, and its message's attempts are added to when it ends.
alter table attempts add column if not exists counts_at_end boolean not null default false;

-- When it failed; null of a fork's copies.
alter table messages add column if not exists failed_at timestamptz;
