-- Why: URLs that turn requests of other services (webhooks) into messages of an agent.
-- Locks: organizations, agents and sessions for a moment, to refer to them.
-- Breaking for the release before: no.

create table triggers (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  agent_id text not null references agents on delete cascade,
  name text,
  -- SHA-256 of the token in the URL, which is not stored.
  token_hash bytea not null unique,
  scheme text not null check (scheme in ('none', 'standard-webhooks', 'github', 'slack', 'stripe')),
  -- Sealed. Null: the sender's secret is not known yet, and every event is refused, unless the scheme is none.
  secret bytea,
  old_secret bytea,
  old_secret_expires_at timestamptz,
  text_template text not null,
  -- Null: a new session for each event.
  session_key text,
  -- Null: the scheme's own id.
  event_id text,
  conditions jsonb not null default '[]',
  missing text not null default 'empty' check (missing in ('empty', 'refuse')),
  includes_body boolean not null default false,
  is_background boolean not null default false,
  status text not null default 'active' check (status in ('active', 'paused')),
  changed_by_key_id text,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  check ((old_secret is null) = (old_secret_expires_at is null)),
  check (scheme <> 'none' or secret is null)
);
create index triggers_by_organization on triggers (organization_id, id);
create index triggers_by_agent on triggers (agent_id, id);

-- The session that each key of a trigger leads to. Checked at the end of the transaction that creates the session.
create table trigger_sessions (
  trigger_id text not null references triggers on delete cascade,
  key_digest bytea not null,
  organization_id text not null references organizations on delete cascade,
  session_id text not null references sessions on delete cascade deferrable initially deferred,
  primary key (trigger_id, key_digest)
) with (fillfactor = 80);
create index trigger_sessions_by_session on trigger_sessions (session_id);
create index trigger_sessions_by_organization on trigger_sessions (organization_id);
