-- Why: sessions are listed by name without reading the organization's other sessions; what a session has used is summed
-- without reading its answers, which have up to 8 MiB each.
-- Transaction: none. Each statement may be repeated; the index is built beside what writes to sessions.
-- Locks: attempts for a moment, to add a column that is null. The index waits for transactions that are open when it
-- begins.
-- Breaking for the release before: no.

-- What the attempt has used at its model. Empty: it reported nothing. Null: it was not called, or it ended before this
-- column existed.
alter table attempts add column if not exists usage jsonb;

drop index concurrently if exists sessions_by_name;
create index concurrently sessions_by_name on sessions (organization_id, name, id)
  where name is not null and deleted_at is null;
