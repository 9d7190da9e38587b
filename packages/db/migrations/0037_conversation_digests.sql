-- Why: clients of OpenAI's Chat Completions send a conversation instead of its id. A message's digest of what was sent
-- before and with it finds the session to continue.
-- Transaction: none. Each statement may be repeated.
-- Locks: messages for a moment, for the column. The index is built beside what writes.
-- Breaking for the release before: no. It stores no digests.

alter table messages add column if not exists conversation_digest bytea;
drop index concurrently if exists messages_by_conversation_digest;
create index concurrently messages_by_conversation_digest
  on messages (organization_id, conversation_digest, created_at desc) where conversation_digest is not null;
