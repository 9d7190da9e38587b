-- Why: operators, whose keys look after all organizations; a record of who changed what; bulk retry of failed messages.
-- Locks: messages for as long as two partial indexes take to build.
-- Breaking for the release before: no.

-- Admin keys of such an organization may do what concerns the whole installation.
alter table organizations add column is_operator boolean not null default false;
update organizations set is_operator = true where id = (select min(id) from organizations);

-- What was changed in an organization, by which key. Written with the change, never changed or deleted afterwards.
create table audit_entries (
  id text primary key,
  -- Without a cascade: who has a record cannot vanish with it.
  organization_id text not null references organizations,
  -- Null: the installation's own set-up. It may be a key of an operator's organization.
  actor_key_id text,
  action text not null,
  -- The id, or the name, of what was changed.
  target text not null,
  details jsonb not null default '{}',
  request_id text,
  -- What the call answered, where a repeated call cannot be answered from the rows alone.
  reply jsonb,
  created_at timestamptz not null default clock_timestamp()
);
create index audit_entries_by_organization on audit_entries (organization_id, created_at, id);

-- Failed messages and their retries, found without reading the messages that did not fail.
create index messages_failed_by_organization on messages (organization_id, completed_at, id) where state = 'failed';
create index messages_failed on messages (completed_at, id) where state = 'failed';
create index messages_by_retry_of on messages (retry_of) where retry_of is not null;
