-- Records a stored object of a snapshot, with the objects that its contents are in, before a row refers to it. False if
-- one of these is being deleted: the caller has built on objects that are gone.
-- p_references: [{key, bytes}].
create or replace function record_object(p_organization text, p_key text, p_bytes bigint, p_references jsonb)
returns boolean language plpgsql as $$
declare
  v_keys text[] := array(select r ->> 'key' from jsonb_array_elements(p_references) r order by 1) || p_key;
begin
  -- Waits for a sweep that is dooming one of them, and then finds it doomed.
  delete from tombstones where object_key = any(v_keys) and doomed_at is null;
  if exists (select 1 from tombstones where object_key = any(v_keys)) then return false; end if;
  insert into snapshot_objects (object_key, organization_id, size_bytes) values (p_key, p_organization, p_bytes)
    on conflict (object_key) do nothing;
  insert into object_references (object_key, referenced_key, organization_id, stored_bytes)
    select p_key, r ->> 'key', p_organization, (r ->> 'bytes')::bigint from jsonb_array_elements(p_references) r
    on conflict (object_key, referenced_key) do nothing;
  return true;
end $$;

-- Returns whether a future turn places the file: its message is not behind a completed one.
create or replace function is_awaited(p_file text) returns boolean language sql stable as $$
  select exists (
    select 1 from session_inputs i join messages m on m.id = i.message_id join sessions s on s.id = m.session_id
    where i.file_id = p_file and s.deleted_at is null and s.state = 'open'
      and m.rolled_back_at is null and m.rolled_back_by is null
      and not exists (select 1 from messages d where d.session_id = m.session_id
        and d.sequence_number >= m.sequence_number and d.state = 'completed' and d.merged_into is null
        and d.rolled_back_at is null))
$$;

-- Returns whether a row still refers to the object. A deleted upload stays until all turns that need it have run.
create or replace function is_named(p_key text) returns boolean language sql stable as $$
  select exists (select 1 from snapshots where object_key = p_key)
    or exists (select 1 from object_references where referenced_key = p_key)
    or exists (select 1 from files where object_key = p_key and (deleted_at is null or is_awaited(id)))
    or exists (select 1 from message_values where object_key = p_key)
    or exists (select 1 from recorded_answers where object_key = p_key)
    or exists (select 1 from source_snapshots where object_key = p_key)
    or exists (select 1 from versions where image is not null and image ->> 'objectKey' = p_key)
    or exists (select 1 from versions where image -> 'layer' ->> 'objectKey' = p_key)
    or exists (select 1 from dependency_layers where layer is not null and layer ->> 'objectKey' = p_key)
$$;
