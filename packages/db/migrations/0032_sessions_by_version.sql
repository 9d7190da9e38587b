-- Why: versions of `dari dev` that no session uses are deleted, and PostgreSQL looks for the sessions of each.
-- Transaction: none. Each statement may be repeated.
-- Locks: none that stops a turn. The index is built beside what writes.
-- Breaking for the release before: no. It does not use the index.

drop index concurrently if exists sessions_version;
create index concurrently sessions_version on sessions (version_id);
