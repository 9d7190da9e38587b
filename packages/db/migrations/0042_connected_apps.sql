-- Why: MCP clients connect by OAuth. A person approves each one, and it gets a key of its own with short-lived secrets.
-- Transaction: none. Each statement may be repeated.
-- Locks: api_keys for a moment, to add a column with a constant default; api_keys and organizations for a moment, to
-- add the foreign keys of the new table. Turns lock neither.
-- Breaking for the release before: no. It accepts the key of an app on every route that the key's scopes allow.

-- Whether the key belongs to a connected app. Such a key can only call /mcp.
alter table api_keys add column if not exists is_app boolean not null default false;

-- An MCP client that a person has connected. Its key ends with the person's membership, as every key of a person.
create table if not exists connected_apps (
  api_key_id text primary key references api_keys on delete cascade,
  organization_id text not null references organizations on delete cascade,
  client_id text not null,
  client_name text not null,
  redirect_uri text not null,
  code_challenge text not null,
  -- 0: the authorization code is not used yet. Each exchange of a code or a refresh token adds one.
  generation int not null default 0,
  changed_at timestamptz not null default clock_timestamp(),
  -- When the unused code, later the refresh token, expires.
  ends_at timestamptz not null,
  created_at timestamptz not null default clock_timestamp()
);
create index if not exists connected_apps_by_end on connected_apps (ends_at);
create index if not exists connected_apps_by_organization on connected_apps (organization_id);
