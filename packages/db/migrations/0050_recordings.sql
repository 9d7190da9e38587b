-- Why: the answers of models that a completed message has recorded are kept for some days, so that its turn can be
-- replayed without paying.
-- Transaction: none. Each statement may be repeated.
-- Locks: sessions for a moment, for the foreign key; messages and agents for a moment each, to add columns without a
-- default and a trigger.
-- Breaking for the release before: no. Its workers record nothing for such a version, and run a replay as any message.

-- The answers of a completed message that are kept until `expires_at`. Their rows are in model_answers.
create table if not exists recordings (
  session_id text not null references sessions (id) on delete cascade,
  message_id text not null,
  organization_id text not null,
  agent_id text not null,
  answers int not null,
  -- The bytes of their objects.
  size_bytes bigint not null check (size_bytes >= 0),
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  primary key (session_id, message_id)
);
create index concurrently if not exists recordings_by_agent on recordings (agent_id, message_id);
create index concurrently if not exists recordings_by_expiry on recordings (expires_at);

alter table messages
  -- The message whose recording this one replays.
  add column if not exists replay_of text,
  -- Whether a request of a replay without a recorded answer goes to the model.
  add column if not exists replay_asks_models boolean;

-- The end of a message, whatever causes it, deletes its answers, unless they have become a recording.
create or replace function delete_answers() returns trigger language plpgsql as $$
begin
  delete from model_answers where session_id = new.session_id and message_id = new.id
    and not exists (select 1 from recordings r where r.session_id = new.session_id and r.message_id = new.id);
  return null;
end $$;

-- The end of a recording deletes its answers. The sweep of the store deletes their objects.
create or replace function delete_recording() returns trigger language plpgsql as $$
begin
  delete from model_answers where session_id = old.session_id and message_id = old.message_id;
  return null;
end $$;
drop trigger if exists delete_recording on recordings;
create trigger delete_recording after delete on recordings for each row execute function delete_recording();

-- Nothing can be replayed once the agent is deleted.
create or replace function expire_recordings() returns trigger language plpgsql as $$
begin
  update recordings set expires_at = clock_timestamp() where agent_id = new.id and expires_at > clock_timestamp();
  return null;
end $$;
drop trigger if exists expire_recordings on agents;
create trigger expire_recordings after update of deleted_at on agents for each row
  when (old.deleted_at is null and new.deleted_at is not null) execute function expire_recordings();

-- The bytes of a recording count from its insertion until it or its session is deleted.
create or replace function count_recording() returns trigger language plpgsql security definer
  set search_path = dari, pg_temp as $$
declare
  v_session text := case tg_op when 'DELETE' then old.session_id else new.session_id end;
  v_organization text := case tg_op when 'DELETE' then old.organization_id else new.organization_id end;
begin
  perform pg_advisory_xact_lock_shared(hashtext('dari kept counts'), hashtext(v_organization));
  update kept_counts set kept = kept + case tg_op when 'DELETE' then -old.size_bytes else new.size_bytes end
    where organization_id = v_organization and kind = 'storage_bytes'
      and exists (select 1 from sessions where id = v_session and deleted_at is null);
  return null;
end $$;
drop trigger if exists count_kept on recordings;
create trigger count_kept after insert or delete on recordings for each row execute function count_recording();

-- See 0018, 0023 and 0034.
create or replace function count_session() returns trigger language plpgsql security definer
  set search_path = dari, pg_temp as $$
declare
  v_was boolean := tg_op <> 'INSERT' and old.deleted_at is null;
  v_is boolean := tg_op <> 'DELETE' and new.deleted_at is null;
  v_id text := case tg_op when 'DELETE' then old.id else new.id end;
  v_organization text := case tg_op when 'DELETE' then old.organization_id else new.organization_id end;
  v_more bigint;
begin
  perform pg_advisory_xact_lock_shared(hashtext('dari kept counts'), hashtext(v_organization));
  if exists (select 1 from kept_counts where organization_id = v_organization and kind = 'storage_bytes') then
    v_more := case when v_is then
        coalesce((select total_bytes from snapshots where id = new.head_snapshot_id), 0) else 0 end
      - case when v_was then
        coalesce((select total_bytes from snapshots where id = old.head_snapshot_id), 0) else 0 end;
    if v_is <> v_was then
      v_more := v_more + (v_is::int - v_was::int)
        * (coalesce((select sum(size_bytes) from message_values where session_id = v_id), 0)
          + coalesce((select sum(size_bytes) from recordings where session_id = v_id), 0));
    end if;
    -- A change that adds nothing takes no lock on the count.
    if v_more <> 0 then
      update kept_counts set kept = kept + v_more where organization_id = v_organization and kind = 'storage_bytes';
    end if;
  end if;
  if v_is <> v_was then
    update kept_counts set kept = kept + v_is::int - v_was::int
      where organization_id = v_organization and kind = 'sessions';
  end if;
  return null;
end $$;
