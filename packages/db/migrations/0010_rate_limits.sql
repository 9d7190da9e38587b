-- Why: what an organization and each of its keys may send in a while, counted in one place for all API processes.
-- Locks: organizations and api_keys for a moment, to add columns that are null.
-- Breaking for the release before: no.

alter table organizations
  -- Of all its keys together. Null: the platform's bounds.
  add max_requests_per_minute int check (max_requests_per_minute > 0),
  add max_messages_per_minute int check (max_messages_per_minute > 0),
  add max_upload_bytes_per_hour bigint check (max_upload_bytes_per_hour > 0);

alter table api_keys
  -- Null: none of its own.
  add max_requests_per_minute int check (max_requests_per_minute > 0),
  add max_messages_per_minute int check (max_messages_per_minute > 0),
  add max_upload_bytes_per_hour bigint check (max_upload_bytes_per_hour > 0);

-- What was taken in the window that runs; one row per organization or key and kind. Not logged: a crash of the
-- database begins every window anew, and no request waits for a disk.
create unlogged table rate_windows (
  organization_id text not null,
  -- Empty: of the organization's keys together.
  key_id text not null,
  kind text not null check (kind in ('requests', 'messages', 'upload_bytes')),
  started_at timestamptz not null,
  used bigint not null,
  -- What the last call was given, which that call reads.
  last_granted bigint not null,
  primary key (organization_id, key_id, kind)
) with (fillfactor = 50);
create index rate_windows_by_start on rate_windows (started_at);
