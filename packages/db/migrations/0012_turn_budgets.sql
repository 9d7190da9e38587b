-- Why: caps on what turns may use, which hold sessions back in place of ending them; a stop of all turns.
-- Locks: organizations for a moment, to refer to it.
-- Breaking for the release before: no.

-- A cap on the turns of an organization, of an agent or of a session, in each period.
create table budgets (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  scope text not null check (scope in ('organization', 'agent', 'session')),
  -- What it is for: the organization's, the agent's or the session's id.
  target_id text not null,
  period text not null check (period in ('day', 'month', 'total')),
  -- Those that operators set, an organization cannot change.
  set_by text not null check (set_by in ('organization', 'operator')),
  max_turns bigint check (max_turns >= 0),
  max_turn_seconds bigint check (max_turn_seconds >= 0),
  max_tokens bigint check (max_tokens >= 0),
  -- Used in the period that began then.
  turns bigint not null default 0,
  turn_seconds double precision not null default 0,
  tokens bigint not null default 0,
  period_started_at timestamptz not null,
  created_at timestamptz not null default clock_timestamp(),
  -- In the order in which they are looked for: all of an organization, an agent and a session.
  unique (organization_id, target_id, scope, period, set_by),
  check (num_nonnulls(max_turns, max_turn_seconds, max_tokens) > 0)
) with (fillfactor = 50);

-- One row while operators let no turn begin.
create table platform_stops (
  only_one boolean primary key default true check (only_one),
  reason text not null,
  stopped_at timestamptz not null default clock_timestamp()
);
