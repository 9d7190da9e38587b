-- Why: a session may keep its agent off the network; a key that has created an organization may open it.
-- Transaction: none. Each statement may be repeated.
-- Locks: sessions and api_keys for a moment each, to add a column that is null. The index is built beside what writes.
-- Breaking for the release before: no. Its workers do not know the session's setting: docs/operations.md says what to
-- do before rolling back.

-- False: the session's agent reaches nothing. Null and true narrow nothing.
alter table sessions add column if not exists internet_access boolean;

-- Of an organization's first key: the key, or the sign-in, whose call has created the organization. While this key may
-- be used, that caller may list the organization and get a key for it.
alter table api_keys add column if not exists creator_key_id text;
drop index concurrently if exists api_keys_by_creator;
create index concurrently api_keys_by_creator on api_keys (creator_key_id) where creator_key_id is not null;
