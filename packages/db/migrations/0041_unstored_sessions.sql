-- Why: sessions of requests with `store: false` are deleted also if the API process that should delete them dies.
-- Transaction: none. Each statement may be repeated.
-- Locks: sessions for a moment, to add a column with a constant default. The index is built beside what writes.
-- Breaking for the release before: no. It marks no sessions.

-- A file's session_id is from now on also the unstored session that it was sent to.
alter table sessions add column if not exists is_unstored boolean not null default false;
drop index concurrently if exists sessions_unstored;
create index concurrently sessions_unstored on sessions (created_at) where is_unstored and deleted_at is null;
