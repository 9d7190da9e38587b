-- Why: an agent records results of steps. A later attempt of its message gets them, and does not run the steps again.
-- Transaction: none. Each statement may be repeated.
-- Locks: sessions for a moment, for the foreign key; messages for a moment each, to add a column with a constant
-- default and a trigger.
-- Breaking for the release before: no. Its workers hand over no results, and agents that call context.step fail there.

-- What the attempts of an open message have recorded.
create table if not exists message_steps (
  session_id text not null references sessions (id) on delete cascade,
  message_id text not null,
  name text not null,
  -- Counts the calls with this name in an attempt, from 1.
  ordinal bigint not null,
  organization_id text not null,
  -- JSON as the guest wrote it: jsonb would change some numbers and texts.
  result text not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (session_id, message_id, name, ordinal)
);

alter table messages
  -- Whether it has recorded steps, so that messages without them cost nothing.
  add column if not exists has_steps boolean not null default false;

-- The end of a message, whatever causes it, deletes its steps.
create or replace function delete_steps() returns trigger language plpgsql as $$
begin
  delete from message_steps where session_id = new.session_id and message_id = new.id;
  return null;
end $$;
drop trigger if exists delete_steps on messages;
create trigger delete_steps after update of completed_at on messages for each row
  when (new.has_steps and old.completed_at is null and new.completed_at is not null) execute function delete_steps();
