-- Why: answers of models are kept while their message is open, so that the attempt after a lost worker does not pay for
-- them again.
-- Transaction: none. Each statement may be repeated.
-- Locks: sessions for a moment, for the foreign key; messages and model_requests for a moment each, to add a column
-- with a constant default and a trigger.
-- Breaking for the release before: no. Its workers record none, and hand none over.

-- The answers that the attempts of an open message got from models. The object is sealed.
create table if not exists model_answers (
  session_id text not null references sessions (id) on delete cascade,
  message_id text not null,
  -- SHA-256 of the request, in hex.
  digest text not null,
  -- Counts the answers to this request in an attempt, from 1.
  ordinal int not null check (ordinal > 0),
  organization_id text not null,
  -- The claim that recorded it.
  fence bigint not null,
  object_key text not null,
  size_bytes bigint not null check (size_bytes >= 0),
  created_at timestamptz not null default clock_timestamp(),
  primary key (session_id, message_id, digest, ordinal)
);
create index concurrently if not exists model_answers_object on model_answers (object_key);

alter table messages
  -- Whether it has recorded answers of models, so that messages without them cost nothing.
  add column if not exists has_answers boolean not null default false;

alter table model_requests
  -- Whether the agent got a recorded answer, so that no model was asked.
  add column if not exists is_recorded boolean not null default false;

-- The end of a message, whatever causes it, deletes its answers. The sweep of the store deletes their objects.
create or replace function delete_answers() returns trigger language plpgsql as $$
begin
  delete from model_answers where session_id = new.session_id and message_id = new.id;
  return null;
end $$;
drop trigger if exists delete_answers on messages;
create trigger delete_answers after update of completed_at on messages for each row
  when (new.has_answers and old.completed_at is null and new.completed_at is not null)
  execute function delete_answers();
