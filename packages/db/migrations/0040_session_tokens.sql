-- Why: browsers use one session with a token, from the origins that its organization lists.
-- Transaction: none. Each statement may be repeated, and locks one table, because turns lock them in an order of their
-- own.
-- Locks: sessions, files and organizations for a moment each, to add columns with constant defaults and a foreign key.
-- Breaking for the release before: no. It refuses the tokens.

-- Tokens of an earlier generation are revoked.
alter table sessions add column if not exists token_generation int not null default 0;

-- The session whose token uploaded the file. Only this session's tokens can use it. Null: a key uploaded it.
alter table files add column if not exists session_id text;

-- From which origins browsers can use the tokens of an organization's sessions. No row: from none.
create table if not exists allowed_origins (
  organization_id text primary key references organizations on delete cascade,
  origins text[] not null,
  updated_at timestamptz not null default clock_timestamp()
);
