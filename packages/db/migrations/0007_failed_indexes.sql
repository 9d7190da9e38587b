-- Why: see 0006.
-- Transaction: none. Each statement may be repeated; the indexes are built beside what writes to messages.
-- Locks: none that turns would wait for. It waits for transactions that are open when it begins.
-- Breaking for the release before: it runs on, but lists failed messages without an index, and does not start anew.

update messages set failed_at = completed_at where state = 'failed' and failed_at is null and copied_from is null;

drop index concurrently if exists messages_failed_at_by_organization;
create index concurrently messages_failed_at_by_organization on messages (organization_id, failed_at, id)
  where failed_at is not null;
drop index concurrently if exists messages_failed_at;
create index concurrently messages_failed_at on messages (failed_at, id) where failed_at is not null;

drop index concurrently if exists messages_failed_by_organization;
drop index concurrently if exists messages_failed;
