-- Why: a turn costs the same however much waits: what it changes is in no index that the change does not concern, no
-- row of an organization is locked by every write of its turns, and an agent's event is recorded once.
-- Locks: the tables below, for as long as their open rows and their 'attempt.ended' events take to be indexed.
-- Breaking for the release before: no.

-- In the order of the platform's own locks, a session's row first: it waits for what runs instead of deadlocking with it.
lock table sessions, messages, organizations, session_inputs, attempts, attempt_logs, snapshots, events, files
  in access exclusive mode;

-- Being open is told by what does not change between acceptance and end, so that a claim rewrites no index.
drop index messages_open;
create index messages_open on messages (session_id, sequence_number) where completed_at is null;
drop index messages_open_by_organization;
-- In words of its own: whoever asks for the open messages of one session must not be led through those of all, which
-- look few while they have not been counted lately.
create index messages_open_by_organization on messages (organization_id)
  where coalesce(completed_at, 'infinity') = 'infinity';

-- What the fleet's slots were used for lately is read from the ledger, whose rows never change.
drop index attempts_ended;
create index events_attempt_ended on events (created_at) where type = 'attempt.ended';
alter table attempts set (fillfactor = 70);

-- The agent's event that was recorded last: a call that is repeated after a lost reply adds nothing.
alter table attempts add column last_event_number int not null default 0;

-- Each of these is implied by another reference of the same row, which deletes it all the same. Checking them reads and
-- locks the row referred to with every insert: that of the organization was locked by all writes of all its turns.
alter table messages drop constraint messages_organization_id_fkey;
alter table session_inputs drop constraint session_inputs_organization_id_fkey,
  drop constraint session_inputs_message_id_fkey;
alter table attempts drop constraint attempts_organization_id_fkey, drop constraint attempts_session_id_fkey;
alter table attempt_logs drop constraint attempt_logs_organization_id_fkey,
  drop constraint attempt_logs_message_id_fkey;
alter table snapshots drop constraint snapshots_organization_id_fkey, drop constraint snapshots_message_id_fkey;
alter table events drop constraint events_organization_id_fkey;
