-- Why: what agents ask people and other systems for in the middle of a message, and where the message goes on when it
-- is answered.
-- Transaction: none. Each table is locked by itself, because turns lock both in an order of their own.
-- Locks: messages and attempts for a moment each; attempts are read once beside what writes to them.
-- Breaking for the release before: it runs on, but knows no inputs: agents that ask for one fail on its workers.

-- One row for each key that a message's agent has asked for; at most one of a message waits.
create table if not exists message_inputs (
  message_id text not null,
  key text not null,
  organization_id text not null,
  session_id text not null references sessions on delete cascade,
  -- In the order in which the message asked.
  number int not null check (number > 0),
  state text not null default 'waiting' check (state in ('waiting', 'answered', 'expired', 'cancelled')),
  -- The JSON Schema that an answer must satisfy, and what is asked, for people.
  schema jsonb not null,
  prompt text,
  value jsonb,
  requested_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  ended_at timestamptz,
  primary key (message_id, key),
  check ((state = 'waiting') = (ended_at is null)),
  check ((state = 'answered') = (value is not null))
);
create unique index if not exists message_inputs_waiting on message_inputs (session_id) where state = 'waiting';
create index if not exists message_inputs_expiring on message_inputs (expires_at) where state = 'waiting';
create index if not exists message_inputs_by_session on message_inputs (session_id);

alter table messages
  -- The side snapshot that its attempts begin at since one of them was suspended; null: at the session's head.
  add column if not exists resume_snapshot_id text,
  -- The uploads in it, as they were placed: what the agent found, and has not changed.
  add column if not exists resume_inputs jsonb;

alter table attempts drop constraint if exists attempts_outcome_check;
alter table attempts add constraint attempts_outcome_check check (
  outcome in ('completed', 'failed', 'retry', 'released', 'lost', 'cancelled', 'suspended')) not valid;
alter table attempts validate constraint attempts_outcome_check;
