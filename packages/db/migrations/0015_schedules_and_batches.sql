-- Why: messages that the platform sends by the clock, and many sessions that one call starts.
-- Locks: organizations and agents for a moment, to refer to them.
-- Breaking for the release before: no.

create table schedules (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  agent_id text not null references agents on delete cascade,
  -- Null: a new session for each firing. It may be gone: then the next firing says so.
  session_id text,
  name text,
  -- Five fields, and an IANA name.
  cron text not null,
  time_zone text not null,
  parts jsonb not null,
  metadata jsonb not null default '{}',
  -- What a firing does that finds the message of the one before still open.
  overlap text not null default 'skip' check (overlap in ('skip', 'allow', 'replace')),
  status text not null default 'active' check (status in ('active', 'paused')),
  paused_reason text check (paused_reason in ('manual', 'agent_deleted', 'session_ended', 'unknown_times')),
  next_due_at timestamptz,
  -- Of the newest firing that sent a message.
  last_fired_at timestamptz,
  last_message_id text,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  check ((status = 'paused') = (paused_reason is not null)),
  check ((status = 'active') = (next_due_at is not null))
) with (fillfactor = 80);
create index schedules_by_organization on schedules (organization_id, id);
create index schedules_by_agent on schedules (agent_id);
create index schedules_due on schedules (next_due_at) where status = 'active';

-- What came of a due time, or of several in a row that passed while nobody looked.
create table schedule_firings (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  schedule_id text not null references schedules on delete cascade,
  -- missed: the first of them.
  due_at timestamptz not null,
  outcome text not null check (outcome in ('fired', 'skipped', 'missed', 'failed')),
  session_id text,
  message_id text,
  reason_code text,
  reason text,
  missed_count int check (missed_count > 0),
  created_at timestamptz not null default clock_timestamp(),
  unique (schedule_id, due_at),
  check ((outcome = 'fired') = (message_id is not null)),
  check ((outcome = 'fired') = (session_id is not null)),
  check ((outcome = 'fired') = (reason is null)),
  check ((reason is null) = (reason_code is null)),
  check ((outcome = 'missed') = (missed_count is not null))
);
create index schedule_firings_by_age on schedule_firings (created_at);
create index schedule_firings_by_organization on schedule_firings (organization_id);

create table session_batches (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  agent_id text not null references agents on delete cascade,
  name text,
  metadata jsonb not null default '{}',
  total int not null check (total > 0),
  created_at timestamptz not null default clock_timestamp(),
  cancel_requested_at timestamptz,
  -- When every message that was open had been told to end.
  cancelled_at timestamptz,
  check (cancelled_at is null or cancel_requested_at is not null)
);
create index session_batches_by_organization on session_batches (organization_id, id);
create index session_batches_by_age on session_batches (created_at);
create index session_batches_by_agent on session_batches (agent_id);
create index session_batches_to_cancel on session_batches (cancel_requested_at)
  where cancel_requested_at is not null and cancelled_at is null;

-- Which session and which message became of each item of the call, from 0 on. They may be deleted before the batch.
create table session_batch_items (
  batch_id text not null references session_batches on delete cascade,
  number int not null,
  organization_id text not null references organizations on delete cascade,
  session_id text not null,
  message_id text not null,
  primary key (batch_id, number)
);
create index session_batch_items_by_session on session_batch_items (session_id);
