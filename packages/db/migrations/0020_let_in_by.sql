-- Why: what an administrator has opened as somebody else ends with the administrator: invitations, links, browsers and
-- devices say who is behind them. Devices that wait say their address; expired invitations are found by index.
-- Transaction: none. Each statement may be repeated; each table is locked by itself.
-- Locks: invitations, sign_in_links, sign_ins, device_requests, api_keys and members for a moment each. The indexes are
-- built beside what writes.
-- Breaking for the release before: no. What it makes has nobody behind it.

-- Members who end with the row: who has made it, and by whose link the browser or device that made it was let in.
alter table invitations add column if not exists let_in_by text[] not null default '{}';
alter table sign_in_links add column if not exists let_in_by text[] not null default '{}';
-- Members whose links have led here.
alter table sign_ins add column if not exists let_in_by text[] not null default '{}';
alter table device_requests add column if not exists let_in_by text[] not null default '{}',
  -- Whence it came, as far as strangers are told apart.
  add column if not exists address text;
alter table api_keys add column if not exists let_in_by text[] not null default '{}';

drop index concurrently if exists invitations_by_let_in;
create index concurrently invitations_by_let_in on invitations using gin (let_in_by);
drop index concurrently if exists sign_in_links_by_let_in;
create index concurrently sign_in_links_by_let_in on sign_in_links using gin (let_in_by);
drop index concurrently if exists sign_ins_by_let_in;
create index concurrently sign_ins_by_let_in on sign_ins using gin (let_in_by);
drop index concurrently if exists device_requests_by_let_in;
create index concurrently device_requests_by_let_in on device_requests using gin (let_in_by);
drop index concurrently if exists api_keys_by_let_in;
create index concurrently api_keys_by_let_in on api_keys using gin (let_in_by);
drop index concurrently if exists device_requests_by_address;
create index concurrently device_requests_by_address on device_requests (address, expires_at);
drop index concurrently if exists invitations_by_expiry;
create index concurrently invitations_by_expiry on invitations (expires_at);

-- As the tables' owner: an operator's person may have let people of other organizations in. Each comes after what it is
-- made by, and again while there was some: what a call was making, for which this has waited, is seen then.
create or replace function end_what_was_let_in() returns trigger language plpgsql security definer
  set search_path = dari, pg_temp as $$
declare
  v_table text;
  v_rows bigint;
  v_ended bigint;
begin
  loop
    v_ended := 0;
    foreach v_table in array array['invitations', 'sign_in_links', 'sign_ins', 'device_requests', 'api_keys'] loop
      execute format('delete from %I where let_in_by @> array[$1]', v_table) using old.id;
      get diagnostics v_rows = row_count;
      v_ended := v_ended + v_rows;
    end loop;
    exit when v_ended = 0;
  end loop;
  return null;
end $$;

create or replace trigger end_what_was_let_in after delete on members for each row
  execute function end_what_was_let_in();
create or replace trigger end_what_was_let_in_before after update of role on members for each row
  when (old.role <> new.role and (old.role = 'owner' or new.role = 'member'))
  execute function end_what_was_let_in();
