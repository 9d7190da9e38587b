-- Why: the tables of the platform. Every tenant row carries its organization.
-- Locks: none that matter (empty database).
-- Breaking for the release before: no.

create table organizations (
  id text primary key,
  name text not null,
  slug text not null unique,
  -- Its share of the fleet beside other organizations that wait.
  weight int not null default 1 check (weight > 0),
  -- Turns at once, and messages open at once, at most; null: the platform's defaults.
  max_concurrency int check (max_concurrency > 0),
  max_backlog int check (max_backlog > 0),
  created_at timestamptz not null default clock_timestamp()
);

create table members (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  email text not null,
  role text not null check (role in ('owner', 'admin', 'member')),
  created_at timestamptz not null default clock_timestamp(),
  unique (organization_id, email)
);

create table invitations (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  email text not null,
  role text not null check (role in ('owner', 'admin', 'member')),
  created_at timestamptz not null default clock_timestamp(),
  unique (organization_id, email)
);

-- The secret itself is never stored; its SHA-256 is enough because it has 256 random bits.
create table api_keys (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  label text not null,
  secret_hash bytea not null unique,
  scopes text[] not null,
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz,
  created_at timestamptz not null default clock_timestamp()
);
create index api_keys_by_organization on api_keys (organization_id, id);

create table credentials (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  name text not null,
  sealed bytea not null,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  unique (organization_id, name)
);

create table source_snapshots (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  sha256 text not null,
  size_bytes bigint not null,
  metadata jsonb not null default '{}',
  state text not null default 'pending_upload' check (state in ('pending_upload', 'ready', 'failed')),
  failure_reason text,
  manifest_text text,
  object_key text not null,
  upload_expires_at timestamptz not null,
  created_at timestamptz not null default clock_timestamp(),
  check ((state = 'failed') = (failure_reason is not null)),
  check ((state = 'ready') = (manifest_text is not null))
);
create index source_snapshots_by_organization on source_snapshots (organization_id, id);

create table agents (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  name text not null,
  active_version_id text,
  next_version_number int not null default 1,
  -- A version numbered at or below this one never activates itself: somebody chose another since it was published.
  activation_floor int not null default 0,
  deleted_at timestamptz,
  created_at timestamptz not null default clock_timestamp()
);
create index agents_by_organization on agents (organization_id, id);

create table versions (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  agent_id text not null references agents on delete cascade,
  number int not null,
  source_snapshot_id text not null references source_snapshots,
  manifest jsonb not null,
  state text not null default 'building' check (state in ('building', 'ready', 'failed')),
  image jsonb,
  failure jsonb,
  warnings jsonb not null default '[]',
  build_fence int not null default 0,
  -- Builds whose worker was lost, or that the platform could not carry out.
  build_losses int not null default 0,
  build_worker_id text,
  build_lease_until timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  unique (agent_id, number),
  check ((state = 'ready') = (image is not null)),
  check ((state = 'failed') = (failure is not null)),
  check ((state = 'building') = (finished_at is null))
);
alter table agents add foreign key (active_version_id) references versions on delete set null;
create index versions_building on versions (created_at) where state = 'building';
create index versions_by_source_snapshot on versions (source_snapshot_id);

create table build_logs (
  version_id text not null references versions on delete cascade,
  organization_id text not null references organizations on delete cascade,
  sequence_number int not null,
  text text not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (version_id, sequence_number)
);

-- One row is a session's whole place in the schedule, so one turn at a time follows from one row.
create table sessions (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  agent_id text not null references agents,
  version_id text not null references versions,
  name text,
  metadata jsonb not null default '{}',
  -- What a message does that finds the session busy and does not say so itself.
  on_busy text not null default 'enqueue' check (on_busy in ('enqueue', 'reject', 'interrupt', 'rollback', 'merge')),
  state text not null default 'open' check (state in ('open', 'completed', 'expired', 'failed')),
  schedule text not null default 'idle'
    check (schedule in ('idle', 'ready', 'dispatched', 'leased', 'retry_wait', 'blocked')),
  blocked_reason text check (blocked_reason in ('build', 'budget', 'paused', 'input')),
  -- ready: since when, which orders the dispatch; retry_wait: when the next attempt is due.
  ready_at timestamptz,
  dispatch_number bigint not null default 0,
  fence bigint not null default 0,
  claim_token uuid,
  worker_id text,
  -- dispatched: until when it may stay unclaimed; leased: until when the claim holds.
  lease_until timestamptz,
  -- No renewal goes past this, so a worker that renews for ever cannot hold a session for ever.
  lease_limit timestamptz,
  next_sequence_number int not null default 1,
  pending int not null default 0 check (pending >= 0),
  next_event_number bigint not null default 1,
  head_snapshot_id text,
  last_message_id text,
  created_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  deleted_at timestamptz,
  check ((schedule = 'idle') = (pending = 0)),
  check ((schedule = 'blocked') = (blocked_reason is not null)),
  check ((schedule = 'leased') = (claim_token is not null)),
  check ((schedule in ('dispatched', 'leased')) = (lease_until is not null)),
  check ((schedule in ('ready', 'retry_wait')) = (ready_at is not null)),
  check ((state = 'open') = (ended_at is null))
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
create index sessions_ready on sessions (organization_id, ready_at) where schedule = 'ready';
create index sessions_in_flight on sessions (lease_until) include (organization_id)
  where schedule in ('dispatched', 'leased');
create index sessions_retry_wait on sessions (ready_at) where schedule = 'retry_wait';
create index sessions_blocked on sessions (version_id) where schedule = 'blocked';
create index sessions_by_organization on sessions (organization_id, id) where deleted_at is null;
create index sessions_by_agent on sessions (agent_id, id);

create table session_secrets (
  session_id text not null references sessions on delete cascade,
  organization_id text not null references organizations on delete cascade,
  name text not null,
  sealed bytea not null,
  primary key (session_id, name)
);

create table messages (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  session_id text not null references sessions on delete cascade,
  sequence_number int not null,
  state text not null default 'queued'
    check (state in ('queued', 'running', 'waiting_for_input', 'completed', 'failed', 'cancelled')),
  parts jsonb not null,
  metadata jsonb not null default '{}',
  output jsonb,
  files_changed jsonb not null default '[]',
  -- Attempts whose entrypoint was called; and claims that were lost or given back before that.
  attempts int not null default 0,
  uncounted_claims int not null default 0,
  max_attempts int not null check (max_attempts > 0),
  fence bigint,
  snapshot_id text,
  cancel_requested_at timestamptz,
  -- The later message of this session whose parts begin with this one's: this one ran nothing itself.
  merged_into text,
  -- The failed message of which this is another try.
  retry_of text,
  -- Who stopped this message's turn. An interrupted one stays in the conversation, one that is rolled back does not.
  interrupted_by text,
  rolled_back_by text,
  timings jsonb not null default '{}',
  created_at timestamptz not null default clock_timestamp(),
  started_at timestamptz,
  completed_at timestamptz,
  unique (session_id, sequence_number),
  check (attempts <= max_attempts),
  check ((state = 'running') = (fence is not null)),
  check ((state in ('completed', 'failed', 'cancelled')) = (completed_at is not null)),
  check (state <> 'completed' or (snapshot_id is null) = (merged_into is not null)),
  check (merged_into is null or (state = 'completed' and output is null and attempts = 0))
) with (fillfactor = 70);
create index messages_open on messages (session_id, sequence_number) where state in ('queued', 'running');
-- How many messages of an organization are open, up to a bound.
create index messages_open_by_organization on messages (organization_id) where state in ('queued', 'running');
create index messages_by_organization on messages (organization_id, id);

-- Where the files that messages name stand in the workspace; one path is given away once per session.
create table session_inputs (
  session_id text not null references sessions on delete cascade,
  organization_id text not null references organizations on delete cascade,
  path text not null,
  message_id text not null references messages on delete cascade,
  file_id text not null,
  primary key (session_id, path)
);
create index session_inputs_by_file on session_inputs (file_id);
create index session_inputs_by_message on session_inputs (message_id);

create table attempts (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  session_id text not null references sessions on delete cascade,
  message_id text not null references messages on delete cascade,
  number int not null,
  fence bigint not null,
  worker_id text not null,
  guarantees jsonb,
  claimed_at timestamptz not null default clock_timestamp(),
  called_at timestamptz,
  ended_at timestamptz,
  outcome text check (outcome in ('completed', 'failed', 'retry', 'released', 'lost', 'cancelled')),
  failure jsonb,
  side_snapshot_id text,
  unique (session_id, fence),
  check ((ended_at is null) = (outcome is null))
);
create index attempts_by_message on attempts (message_id, fence);
-- What the fleet's slots were used for lately, which the dispatcher charges.
create index attempts_ended on attempts (ended_at) where ended_at is not null;

create table attempt_logs (
  attempt_id text not null references attempts on delete cascade,
  organization_id text not null references organizations on delete cascade,
  message_id text not null references messages on delete cascade,
  sequence_number int not null,
  stream text not null check (stream in ('stdout', 'stderr', 'platform')),
  text text not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (attempt_id, sequence_number)
);
create index attempt_logs_by_message on attempt_logs (message_id);

create table snapshots (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  session_id text not null references sessions on delete cascade,
  parent_id text,
  message_id text references messages on delete cascade,
  fence bigint,
  kind text not null check (kind in ('turn', 'side', 'write')),
  -- Null where the turn changed nothing: the tree is its parent's.
  object_key text,
  -- A full manifest ends the chain; delta_depth counts the objects up to it.
  is_full boolean not null default false,
  delta_depth int not null default 0,
  tree_hash text not null,
  size_bytes bigint not null default 0,
  files int not null,
  total_bytes bigint not null,
  created_at timestamptz not null default clock_timestamp()
);
create index snapshots_by_session on snapshots (session_id, id);
create unique index snapshots_no_fork on snapshots (session_id, parent_id) nulls not distinct where kind = 'turn';

create table events (
  session_id text not null references sessions on delete cascade,
  sequence_number bigint not null,
  organization_id text not null references organizations on delete cascade,
  type text not null,
  message_id text,
  attempt_id text,
  data jsonb not null default '{}',
  created_at timestamptz not null default clock_timestamp(),
  primary key (session_id, sequence_number)
);

create table files (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  filename text not null,
  content_type text not null,
  size_bytes bigint not null,
  sha256 text not null,
  object_key text not null,
  created_at timestamptz not null default clock_timestamp(),
  deleted_at timestamptz
);
create index files_by_organization on files (organization_id, id) where deleted_at is null;

-- A key and the resource it made are written in one transaction; the resource is null only inside it. The fingerprint
-- tells whether a repeated call has the same body.
create table idempotency_keys (
  organization_id text not null references organizations on delete cascade,
  method text not null,
  path text not null,
  key text not null,
  fingerprint text not null,
  resource_id text,
  status int,
  created_at timestamptz not null default clock_timestamp(),
  primary key (organization_id, method, path, key)
);
create index idempotency_keys_by_age on idempotency_keys (created_at);

-- The fleet, not a tenant's: who offers slots, and who leads.
create table workers (
  id text primary key,
  pool text not null,
  slots int not null check (slots >= 0),
  draining boolean not null default false,
  details jsonb not null default '{}',
  started_at timestamptz not null default clock_timestamp(),
  seen_at timestamptz not null default clock_timestamp()
);

create table leaders (
  name text primary key,
  holder text not null,
  seen_at timestamptz not null default clock_timestamp()
);
