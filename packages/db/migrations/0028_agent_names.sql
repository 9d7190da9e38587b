-- Why: an agent's name is accepted wherever its id is, so it is unique among the agents of its organization that are
-- not deleted. Existing duplicates are numbered: the oldest agent keeps the name, the next one becomes name-2.
-- Locks: agents against writes while duplicates are numbered and the index is built.
-- Breaking for the release before: no. If a name is taken, its new agent gets a numbered one, too.

lock table agents in share row exclusive mode;
create index agents_by_name_before on agents (organization_id, name) where deleted_at is null;

do $$
declare
  r record;
  v_name text;
  v_number int := 1;
begin
  for r in select id, organization_id, name, place from (
      select *, row_number() over (partition by organization_id, name order by created_at, id) as place
      from agents where deleted_at is null) numbered
    where place > 1 order by organization_id, name, place
  loop
    if r.place = 2 then v_number := 1; end if;
    loop
      v_number := v_number + 1;
      -- Names have at most 200 characters (limits.nameChars).
      v_name := left(r.name, 199 - length(v_number::text)) || '-' || v_number;
      exit when not exists (select 1 from agents
        where organization_id = r.organization_id and name = v_name and deleted_at is null);
    end loop;
    update agents set name = v_name where id = r.id;
  end loop;
end $$;

drop index agents_by_name_before;
create unique index agents_by_name on agents (organization_id, name) where deleted_at is null;

-- Numbers the name of a new agent if another one has it. Two inserts of a new name at the same time are left to the
-- unique index.
create function number_agent_name() returns trigger language plpgsql set search_path = dari, pg_temp as $$
declare
  v_name text := new.name;
  v_number int := 1;
begin
  -- The lock lets one transaction at a time search for a free number.
  perform 1 from agents where organization_id = new.organization_id and name = v_name and deleted_at is null
    for no key update;
  if not found then return new; end if;
  loop
    v_number := v_number + 1;
    v_name := left(new.name, 199 - length(v_number::text)) || '-' || v_number;
    exit when not exists (select 1 from agents
      where organization_id = new.organization_id and name = v_name and deleted_at is null);
  end loop;
  new.name := v_name;
  return new;
end $$;
create trigger number_agent_name before insert on agents for each row execute function number_agent_name();
