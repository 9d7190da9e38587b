-- Why: a browser signs in with an API key; sessions are listed by their newest message, with who started them and how.
-- Transaction: none. Each statement may be repeated.
-- Locks: sign_ins and sessions for a moment, to add columns that are null and to replace checks on sign_ins, which has
-- one row for each signed-in browser. The indexes are built beside what writes.
-- Breaking for the release before: no. It ignores sign-ins with a key, and lists sessions as before.

-- The key that the browser is signed in with. The sign-in ends with it.
alter table sign_ins add column if not exists api_key_id text references api_keys on delete cascade;
alter table sign_ins alter column member_id drop not null;
alter table sign_ins drop constraint if exists sign_ins_method_check;
alter table sign_ins add constraint sign_ins_method_check check (method in ('link', 'oidc', 'key'));
alter table sign_ins drop constraint if exists sign_ins_owner_check;
alter table sign_ins add constraint sign_ins_owner_check check (num_nonnulls(member_id, api_key_id) = 1);
drop index concurrently if exists sign_ins_by_key;
create index concurrently sign_ins_by_key on sign_ins (api_key_id, created_at) where api_key_id is not null;

-- A link that signs a browser in with a key. Opening it deletes the row, so that it opens once.
create table if not exists key_sign_in_links (
  api_key_id text primary key references api_keys on delete cascade,
  organization_id text not null references organizations on delete cascade,
  secret_hash bytea not null unique,
  expires_at timestamptz not null,
  created_at timestamptz not null default clock_timestamp()
);
create index if not exists key_sign_in_links_by_expiry on key_sign_in_links (expires_at);

-- Who started the session: a member, an API key, a schedule or a batch. Null: before this column existed, or imported.
alter table sessions add column if not exists created_by text;
