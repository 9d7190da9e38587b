-- Why: forks share snapshots with their sessions; rollbacks leave turns behind; what is imported ran elsewhere.
-- Locks: each table for a moment; the new index reads all snapshots while turns wait to finish.
-- Breaking for the release before: no.

alter table sessions
  -- Names, not references: the session that a fork comes from may be deleted.
  add forked_from_session_id text,
  add forked_from_message_id text,
  -- The head that a fork began with, which is another session's snapshot; or an imported session, which is its own.
  add base_snapshot_id text;

alter table messages
  add rolled_back_at timestamptz,
  -- A copy of an ended message, in a fork or from another installation: which one, and what its session's head was
  -- after it. An import knows only the last head.
  add copied_from text,
  add head_snapshot_id text,
  add lacks_workspace boolean not null default false,
  add check (copied_from is null or completed_at is not null),
  add check (not lacks_workspace or copied_from is not null and head_snapshot_id is null);

-- A snapshot outlives its session while a fork builds on it. What no head, message or attempt leads to is nobody's.
alter table snapshots
  drop constraint snapshots_session_id_fkey,
  -- Later than the message that its session was rolled back to.
  add rolled_back_at timestamptz;

drop index snapshots_no_fork;
create unique index snapshots_no_fork on snapshots (session_id, parent_id) nulls not distinct
  where kind = 'turn' and rolled_back_at is null;
