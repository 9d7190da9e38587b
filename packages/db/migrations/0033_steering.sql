-- Why: a message can steer the running turn: the running attempt takes it, and it ends with that turn.
-- Transaction: none. Each table is locked by itself, because turns lock them in an order of their own.
-- Locks: sessions, messages and attempts for a moment each, to add columns with constant defaults and a check; sessions
-- are read once beside what writes to them.
-- Breaking for the release before: it runs on, and its workers take no message: such messages wait for their own turn.

alter table messages
  -- Whether it was sent to steer, and may be taken by the turn before it.
  add column if not exists is_steering boolean not null default false,
  -- The earlier message of this session whose attempt has taken it, with the number of the event that says so. Null
  -- again if that attempt is repeated.
  add column if not exists steered_into text,
  add column if not exists steered_attempt text,
  add column if not exists steered_event bigint;

alter table attempts
  -- How many messages it has taken, and whether the next one would exceed a limit.
  add column if not exists steered_messages int not null default 0,
  add column if not exists is_full boolean not null default false;

alter table sessions drop constraint if exists sessions_on_busy_check;
alter table sessions add constraint sessions_on_busy_check check (
  on_busy in ('enqueue', 'reject', 'interrupt', 'rollback', 'merge', 'steer')) not valid;
alter table sessions validate constraint sessions_on_busy_check;

drop index concurrently if exists messages_steered;
create index concurrently messages_steered on messages (session_id, steered_into)
  where steered_event is not null;
