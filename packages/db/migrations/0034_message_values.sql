-- Why: large arguments and results of tool calls, and pictures in them, are kept as objects, which these rows name.
-- Locks: sessions for a moment, for the foreign key.
-- Breaking for the release before: no. It writes none, and a fork that it makes has none.

create table message_values (
  session_id text not null references sessions (id) on delete cascade,
  id text not null,
  organization_id text not null,
  message_id text not null,
  object_key text not null,
  media_type text not null,
  size_bytes bigint not null check (size_bytes >= 0),
  sha256 text not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (session_id, id)
);
create index message_values_object on message_values (object_key);

-- The bytes of a session's values count from their insertion until the session is deleted.
create or replace function count_value() returns trigger language plpgsql security definer
  set search_path = dari, pg_temp as $$
begin
  perform pg_advisory_xact_lock_shared(hashtext('dari kept counts'), hashtext(new.organization_id));
  update kept_counts set kept = kept + new.size_bytes
    where organization_id = new.organization_id and kind = 'storage_bytes'
      and exists (select 1 from sessions where id = new.session_id and deleted_at is null);
  return null;
end $$;
create trigger count_made after insert on message_values for each row execute function count_value();

-- See 0018 and 0023.
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
        * coalesce((select sum(size_bytes) from message_values where session_id = v_id), 0);
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
