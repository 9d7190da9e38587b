-- Why: what lies in the object store is accounted for, so that it can be swept, squashed and checked; workspaces of an
-- organization have bounds of their own; sessions and organizations go for good.
-- Locks: each table for a moment; the new indexes read their tables while turns wait to finish.
-- Breaking for the release before: no.

alter table organizations
  -- Null: the platform's bounds.
  add max_workspace_bytes bigint check (max_workspace_bytes > 0),
  add max_workspace_files int check (max_workspace_files > 0),
  add max_workspace_file_bytes bigint check (max_workspace_file_bytes > 0),
  -- Days without a message or a write after which a session is expired; null: never.
  add session_retention_days int check (session_retention_days > 0),
  -- The row stays, because the record of changes does; what it owned goes.
  add deleted_at timestamptz;
create index organizations_deleted on organizations (deleted_at) where deleted_at is not null;
create index organizations_with_retention on organizations (id) where session_retention_days is not null;

-- Objects of snapshots whose references are recorded, with their size in the store.
create table snapshot_objects (
  object_key text primary key,
  organization_id text not null,
  size_bytes bigint not null
);

-- An object of a snapshot names contents that lie in others. These are kept as long as it is.
create table object_references (
  object_key text not null references snapshot_objects on delete cascade,
  referenced_key text not null,
  organization_id text not null,
  -- Of the other object's bytes, those that are needed.
  stored_bytes bigint not null,
  primary key (object_key, referenced_key)
);
create index object_references_by_referenced on object_references (referenced_key);

-- Objects that nothing names any more. One is marked first and deleted a while later; the row outlives the object for
-- as long as a turn may run that began with it, so that its save is refused in place of naming what is gone.
create table tombstones (
  object_key text primary key,
  organization_id text not null,
  size_bytes bigint not null,
  marked_at timestamptz not null default clock_timestamp(),
  -- From here on nothing may name it again.
  doomed_at timestamptz,
  deleted_at timestamptz,
  check (deleted_at is null or doomed_at is not null)
);
create index tombstones_waiting on tombstones (marked_at) where deleted_at is null;
create index tombstones_deleted on tombstones (deleted_at) where deleted_at is not null;

-- How far a sweep has come in what it goes through bit by bit.
create table sweeps (
  name text primary key,
  cursor text,
  started_at timestamptz not null default clock_timestamp()
);

-- Sessions whose rows are gone, while snapshots of them may be left on which forks build.
create table purged_sessions (
  session_id text primary key,
  organization_id text not null,
  looked_at timestamptz not null default clock_timestamp()
);
create index purged_sessions_by_look on purged_sessions (looked_at);

-- False: its object's references are not recorded yet.
alter table snapshots add is_recorded boolean not null default false;
create index snapshots_unrecorded on snapshots (id) where object_key is not null and not is_recorded;
create index snapshots_by_object on snapshots (object_key) where object_key is not null;
create index snapshots_by_parent on snapshots (parent_id) where parent_id is not null;
-- Where a chain is to be cut by a full manifest.
create index snapshots_to_squash on snapshots (id) where delta_depth > 0 and delta_depth % 16 = 0 and not is_full;

create index sessions_deleted on sessions (deleted_at) where deleted_at is not null;
create index sessions_by_base on sessions (base_snapshot_id) where base_snapshot_id is not null;
create index messages_copied_snapshot on messages (snapshot_id) where copied_from is not null;
create index messages_copied_head on messages (head_snapshot_id) where copied_from is not null;
create index agents_deleted on agents (deleted_at) where deleted_at is not null;
create index files_deleted on files (deleted_at) where deleted_at is not null;
create index files_by_object on files (object_key);
create index source_snapshots_by_object on source_snapshots (object_key);
create index source_snapshots_by_age on source_snapshots (created_at);
create index versions_by_image on versions ((image ->> 'objectKey')) where image is not null;
