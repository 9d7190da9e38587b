-- Why: receivers of events outside of the platform, what is to be sent to them, and what came of it.
-- Locks: sessions for a moment, for its two triggers.
-- Breaking for the release before: no.

create table webhook_endpoints (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  -- Null: events of every agent. It outlives its agent, of which nothing more comes.
  agent_id text,
  url text not null,
  description text,
  event_types text[] not null check (cardinality(event_types) > 0),
  status text not null default 'enabled' check (status in ('enabled', 'disabled')),
  disabled_reason text check (disabled_reason in ('manual', 'failing', 'gone', 'backlog')),
  -- Attempts that failed since the last one that did not, and when the first of them did.
  failures int not null default 0,
  failing_since timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  deleted_at timestamptz,
  check ((status = 'disabled') = (disabled_reason is not null)),
  check ((failures = 0) = (failing_since is null))
);
create index webhook_endpoints_by_organization on webhook_endpoints (organization_id, id) where deleted_at is null;
create index webhook_endpoints_listening on webhook_endpoints (organization_id)
  where status = 'enabled' and deleted_at is null;
create index webhook_endpoints_deleted on webhook_endpoints (deleted_at) where deleted_at is not null;

-- All that an endpoint's deliveries are signed with at present; the newest is without an end.
create table webhook_secrets (
  endpoint_id text not null references webhook_endpoints on delete cascade,
  number int not null,
  organization_id text not null references organizations on delete cascade,
  sealed bytea not null,
  expires_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  primary key (endpoint_id, number)
);

-- Sessions whose ledger has grown, written in the transaction that made it grow, and only where somebody listens.
create table webhook_outbox (
  id bigint generated always as identity primary key,
  organization_id text not null,
  session_id text not null,
  first_number bigint not null,
  -- The number after the last.
  end_number bigint not null
);

-- One event for one endpoint.
create table webhook_deliveries (
  id text primary key,
  organization_id text not null,
  endpoint_id text not null references webhook_endpoints on delete cascade,
  event_id text not null,
  type text not null,
  -- Null: a test, which no ledger has.
  session_id text,
  sequence_number bigint,
  agent_id text,
  message_id text,
  attempt_id text,
  event_created_at timestamptz not null,
  state text not null default 'pending' check (state in ('pending', 'delivered', 'failed', 'cancelled')),
  -- Attempts that were begun since the delivery was made, or sent again by hand.
  attempts int not null default 0,
  -- pending: when it may be claimed. A claim puts it off, so that what its holder does not finish is claimed again.
  due_at timestamptz,
  claim_token uuid,
  attempted_at timestamptz,
  duration_ms int,
  response_status int,
  response_excerpt text,
  error text,
  created_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  unique (endpoint_id, event_id),
  check ((state = 'pending') = (due_at is not null)),
  check ((state = 'pending') = (ended_at is null)),
  check (state = 'pending' or claim_token is null),
  check ((session_id is null) = (sequence_number is null))
) with (fillfactor = 80);
create index webhook_deliveries_pending on webhook_deliveries (endpoint_id, due_at) where state = 'pending';
create index webhook_deliveries_by_endpoint on webhook_deliveries (endpoint_id, id);
create index webhook_deliveries_undelivered on webhook_deliveries (endpoint_id, id)
  where state in ('failed', 'cancelled');
create index webhook_deliveries_ended on webhook_deliveries (ended_at) where ended_at is not null;

-- The session's row is locked by whoever appends to its ledger, so that its numbers are committed in their order; and
-- the note is committed with them, so that whoever reads it finds its events. It is here and not among the functions,
-- which are dropped when they are replaced: that would take the triggers with it. Without sequential scans: who has no
-- endpoint would read all of others' where the planner takes the table for small.
create function note_webhook_events() returns trigger language plpgsql set enable_seqscan = off as $$
begin
  if exists (select 1 from webhook_endpoints w where w.organization_id = new.organization_id
      and w.status = 'enabled' and w.deleted_at is null and (w.agent_id is null or w.agent_id = new.agent_id)) then
    insert into webhook_outbox (organization_id, session_id, first_number, end_number)
      values (new.organization_id, new.id, coalesce(old.next_event_number, 1), new.next_event_number);
  end if;
  return null;
end $$;
create trigger sessions_note_first_events after insert on sessions
  for each row when (new.next_event_number > 1) execute function note_webhook_events();
create trigger sessions_note_events after update of next_event_number on sessions
  for each row when (new.next_event_number > old.next_event_number) execute function note_webhook_events();
