-- Why: how much of each kind an organization may keep.
-- Locks: organizations for a moment, to add columns that are null.
-- Breaking for the release before: no.

alter table organizations
  -- Null: no bound. Bytes of uploaded files and bundles together.
  add max_storage_bytes bigint check (max_storage_bytes > 0),
  add max_files int check (max_files > 0),
  add max_agents int check (max_agents > 0),
  add max_sessions int check (max_sessions > 0),
  add max_api_keys int check (max_api_keys > 0);
