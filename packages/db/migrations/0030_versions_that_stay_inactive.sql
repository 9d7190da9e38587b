-- Why: a version can be published without becoming active.
-- Transaction: one, apart from 0028, because a deploy locks the agent before its versions.
-- Locks: versions for a moment, to add a column with a constant default.
-- Breaking for the release before: no. It publishes versions that become active.

alter table versions add column activates_itself boolean not null default true;
