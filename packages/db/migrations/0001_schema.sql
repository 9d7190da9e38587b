-- The tables of Dari 1.0, in the areas of packages/control. Functions that programs call are in ../functions. Functions
-- of triggers are here, because replacing them needs a lock on their table.
-- Every row of a tenant has an organization_id: row-level security is derived from it (src/row-security.ts).
-- Locks: none (empty database).

----------------------------------------------------------------------------------------------------------- Tenants --

-- A tenant. Null limits are the platform's, except max_storage_bytes to max_api_keys, which then have none.
create table organizations (
  id text primary key,
  name text not null,
  slug text not null unique,
  -- Whether its admin keys can change the whole installation.
  is_operator boolean not null default false,
  -- Share of the fleet among organizations that wait.
  weight int not null default 1 check (weight > 0),
  -- Maximum number of turns at the same time, and of open messages.
  max_concurrency int check (max_concurrency > 0),
  max_backlog int check (max_backlog > 0),
  max_workspace_bytes bigint check (max_workspace_bytes > 0),
  max_workspace_files int check (max_workspace_files > 0),
  max_workspace_file_bytes bigint check (max_workspace_file_bytes > 0),
  -- Days without a message or a write after which a session is expired. Null: never.
  session_retention_days int check (session_retention_days > 0),
  -- Rates of all keys together.
  max_requests_per_minute int check (max_requests_per_minute > 0),
  max_messages_per_minute int check (max_messages_per_minute > 0),
  max_upload_bytes_per_hour bigint check (max_upload_bytes_per_hour > 0),
  -- Bytes of files, bundles, workspaces, values and recordings together.
  max_storage_bytes bigint check (max_storage_bytes > 0),
  max_files int check (max_files > 0),
  max_agents int check (max_agents > 0),
  max_sessions int check (max_sessions > 0),
  max_api_keys int check (max_api_keys > 0),
  max_turn_memory_bytes bigint check (max_turn_memory_bytes > 0),
  max_turn_cpus double precision check (max_turn_cpus > 0),
  created_at timestamptz not null default clock_timestamp(),
  -- The row stays after deletion, because its audit entries do. Everything else of the organization is deleted.
  deleted_at timestamptz
);
create index organizations_deleted on organizations (deleted_at) where deleted_at is not null;
create index organizations_with_retention on organizations (id) where session_retention_days is not null;

-- A person of an organization.
create table members (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  email text not null,
  role text not null check (role in ('owner', 'admin', 'member')),
  -- Who this is at the identity provider, since the first sign-in through it. An address may get another owner.
  issuer text,
  subject text,
  last_signed_in_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  unique (organization_id, email),
  check ((issuer is null) = (subject is null))
);
create index members_by_email on members (email);
create index members_by_subject on members (issuer, subject) where subject is not null;

-- let_in_by, here and below: the members by whose links the browser or device that made the row was let in, and who
-- made it. The row is deleted when one of them leaves or loses the role.

-- An address that was invited and has not signed in yet.
create table invitations (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  email text not null,
  role text not null check (role in ('owner', 'admin', 'member')),
  -- SHA-256 of the link's secret. Null: there is no link.
  secret_hash bytea unique,
  let_in_by text[] not null default '{}',
  expires_at timestamptz not null default clock_timestamp() + interval '7 days',
  created_at timestamptz not null default clock_timestamp(),
  unique (organization_id, email)
);
create index invitations_by_let_in on invitations using gin (let_in_by);
create index invitations_by_expiry on invitations (expires_at);

-- A key to the API. Only the SHA-256 of its secret is stored, which is enough because the secret has 256 random bits.
create table api_keys (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  label text not null,
  secret_hash bytea not null unique,
  scopes text[] not null,
  -- The person whose device has the key. It can do what the person's role allows. Null: the organization's own key.
  member_id text references members on delete cascade,
  -- Whether an admin key can create, change and remove owners. False if an admin who cannot do so created it.
  manages_owners boolean not null default true,
  let_in_by text[] not null default '{}',
  -- Set for the first key of an organization: the key or sign-in whose call created the organization. While this key is
  -- valid, that caller can list the organization and get a key for it.
  creator_key_id text,
  -- Whether the key belongs to a connected app. Such a key can only call /mcp.
  is_app boolean not null default false,
  -- The key's own rates. Null: none.
  max_requests_per_minute int check (max_requests_per_minute > 0),
  max_messages_per_minute int check (max_messages_per_minute > 0),
  max_upload_bytes_per_hour bigint check (max_upload_bytes_per_hour > 0),
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz,
  created_at timestamptz not null default clock_timestamp()
);
create index api_keys_by_organization on api_keys (organization_id, id);
create index api_keys_by_member on api_keys (member_id) where member_id is not null;
create index api_keys_by_let_in on api_keys using gin (let_in_by);
create index api_keys_by_creator on api_keys (creator_key_id) where creator_key_id is not null;

-- An MCP client that a person has connected by OAuth. Its key ends with the person's membership.
create table connected_apps (
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
create index connected_apps_by_end on connected_apps (ends_at);
create index connected_apps_by_organization on connected_apps (organization_id);

-- A browser that is signed in, as a member or with a key. Its cookie has the secret.
create table sign_ins (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  member_id text references members on delete cascade,
  api_key_id text references api_keys on delete cascade,
  secret_hash bytea not null unique,
  method text not null check (method in ('link', 'oidc', 'key')),
  -- Whether the person was an owner at that time. A person who became one later may have been signed in by somebody
  -- who is not an owner.
  manages_owners boolean not null,
  let_in_by text[] not null default '{}',
  expires_at timestamptz not null,
  created_at timestamptz not null default clock_timestamp(),
  constraint sign_ins_owner_check check (num_nonnulls(member_id, api_key_id) = 1)
);
create index sign_ins_by_member on sign_ins (member_id);
create index sign_ins_by_key on sign_ins (api_key_id, created_at) where api_key_id is not null;
create index sign_ins_by_expiry on sign_ins (expires_at);
create index sign_ins_by_let_in on sign_ins using gin (let_in_by);

-- A link that signs a member in. Opening it deletes the row, so that it opens once.
create table sign_in_links (
  member_id text primary key references members on delete cascade,
  organization_id text not null references organizations on delete cascade,
  secret_hash bytea not null unique,
  let_in_by text[] not null default '{}',
  expires_at timestamptz not null,
  created_at timestamptz not null default clock_timestamp()
);
create index sign_in_links_by_expiry on sign_in_links (expires_at);
create index sign_in_links_by_let_in on sign_in_links using gin (let_in_by);

-- A link that signs a browser in with a key. Opening it deletes the row, so that it opens once.
create table key_sign_in_links (
  api_key_id text primary key references api_keys on delete cascade,
  organization_id text not null references organizations on delete cascade,
  secret_hash bytea not null unique,
  expires_at timestamptz not null,
  created_at timestamptz not null default clock_timestamp()
);
create index key_sign_in_links_by_expiry on key_sign_in_links (expires_at);

-- A command line that waits for a person's approval. The poll that finds it approved deletes the row and creates a key.
create table device_requests (
  device_hash bytea primary key,
  -- Keyed, because a computer can try all codes that a person can type.
  user_hash bytea not null unique,
  device_name text not null,
  state text not null default 'pending' check (state in ('pending', 'approved', 'denied')),
  -- The person who approved it, and the organization that it was approved for.
  organization_id text references organizations on delete cascade,
  member_id text references members on delete cascade,
  -- Whether the browser that approved it can manage owners. The key then can, too.
  manages_owners boolean not null default false,
  let_in_by text[] not null default '{}',
  -- The address of the request, at the precision at which unauthenticated callers are limited.
  address text,
  interval_seconds int not null check (interval_seconds > 0),
  polled_at timestamptz,
  expires_at timestamptz not null,
  created_at timestamptz not null default clock_timestamp(),
  check ((state = 'approved') = (member_id is not null)),
  check ((member_id is null) = (organization_id is null))
);
create index device_requests_by_expiry on device_requests (expires_at);
create index device_requests_by_member on device_requests (member_id) where member_id is not null;
create index device_requests_by_let_in on device_requests using gin (let_in_by);
create index device_requests_by_address on device_requests (address, expires_at);

-- Tries to sign in during the current window, by address or person. Unlogged: a crash restarts all windows.
create unlogged table sign_in_tries (
  kind text not null,
  subject text not null,
  started_at timestamptz not null,
  used int not null,
  primary key (kind, subject)
) with (fillfactor = 50);
create index sign_in_tries_by_start on sign_in_tries (started_at);

-- Deletes what a member who leaves or loses a role has let in. As the tables' owner: an operator's member may have let
-- people of other organizations in. Repeats while rows were deleted, because the statement has waited for calls that
-- were creating more of them.
create function end_what_was_let_in() returns trigger language plpgsql security definer
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
create trigger end_what_was_let_in after delete on members for each row execute function end_what_was_let_in();
create trigger end_what_was_let_in_before after update of role on members for each row
  when (old.role <> new.role and (old.role = 'owner' or new.role = 'member'))
  execute function end_what_was_let_in();

-- A change in an organization. Written with the change, and append-only.
create table audit_entries (
  id text primary key,
  -- Without a cascade: an organization with entries cannot be deleted.
  organization_id text not null references organizations,
  -- The key or the member that made the change; a key may be one of an operator. Both null: the installation's setup.
  actor_key_id text,
  actor_member_id text,
  action text not null,
  -- The id or the name of what was changed.
  target text not null,
  details jsonb not null default '{}',
  request_id text,
  -- The call's reply, if a repeated call cannot be answered from the rows alone.
  reply jsonb,
  created_at timestamptz not null default clock_timestamp()
);
create index audit_entries_by_organization on audit_entries (organization_id, created_at, id);
revoke update, delete on audit_entries from dari_app;

-- A sealed secret that the organization's agents can require.
create table credentials (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  name text not null,
  sealed bytea not null,
  -- Hosts for which the value replaces the placeholder that agents get. Null: agents get the value.
  hosts text[] check (cardinality(hosts) > 0),
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  unique (organization_id, name)
);

-- The origins from which browsers can use the tokens of an organization's sessions. No row: none.
create table allowed_origins (
  organization_id text primary key references organizations on delete cascade,
  origins text[] not null,
  updated_at timestamptz not null default clock_timestamp()
);

-- The hosts that an organization's agents can connect to: its own rules and the operators'. Both must allow a host.
create table egress_settings (
  organization_id text not null references organizations on delete cascade,
  set_by text not null check (set_by in ('organization', 'operator')),
  mode text not null check (mode in ('off', 'allow', 'open')),
  -- What the mode `allow` allows.
  hosts text[] not null default '{}',
  updated_at timestamptz not null default clock_timestamp(),
  primary key (organization_id, set_by)
);

-- Whether answers of models may be recorded. `never`: also if dari.yml asks for it. No row: allowed.
create table answer_recording_settings (
  organization_id text primary key references organizations on delete cascade,
  mode text not null check (mode in ('allowed', 'never')),
  updated_at timestamptz not null default clock_timestamp()
);

-- A limit on the turns of an organization, an agent or a session in each period. Sessions beyond it are blocked.
create table budgets (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  scope text not null check (scope in ('organization', 'agent', 'session')),
  -- The id of the organization, the agent or the session.
  target_id text not null,
  period text not null check (period in ('day', 'month', 'total')),
  -- An organization cannot change what operators set.
  set_by text not null check (set_by in ('organization', 'operator')),
  max_turns bigint check (max_turns >= 0),
  max_turn_seconds bigint check (max_turn_seconds >= 0),
  max_tokens bigint check (max_tokens >= 0),
  -- What was used in the period that began at period_started_at.
  turns bigint not null default 0,
  turn_seconds double precision not null default 0,
  tokens bigint not null default 0,
  period_started_at timestamptz not null,
  -- When its limits were set, and when an attempt that it counts last ended.
  changed_at timestamptz not null default now(),
  last_end_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  -- In the order of the lookups: all of an organization, an agent and a session.
  unique (organization_id, target_id, scope, period, set_by),
  check (num_nonnulls(max_turns, max_turn_seconds, max_tokens) > 0)
) with (fillfactor = 50);

-- What was used of a rate in the current window, per organization or key. Unlogged: a crash restarts all windows, and
-- no request waits for a disk.
create unlogged table rate_windows (
  organization_id text not null,
  -- Empty: all keys of the organization together.
  key_id text not null,
  kind text not null check (kind in ('requests', 'messages', 'upload_bytes')),
  started_at timestamptz not null,
  used bigint not null,
  -- What the last call was granted, which that call reads.
  last_granted bigint not null,
  primary key (organization_id, key_id, kind)
) with (fillfactor = 50);
create index rate_windows_by_start on rate_windows (started_at);

-- Prices of models. All rows of a date are one list. The latest list whose date is not in the future is in force.
create table model_prices (
  valid_from date not null,
  -- A host's name, `*.` and a domain for the hosts below it, or `*`. In lower case, without a port.
  host text not null,
  -- A model's name, or the beginning of one and `*`.
  model text not null,
  -- Micro-dollars (US) for a million tokens. Null: as for other input.
  input_price bigint not null check (input_price >= 0),
  cached_input_price bigint check (cached_input_price >= 0),
  cache_write_price bigint check (cache_write_price >= 0),
  output_price bigint not null check (output_price >= 0),
  primary key (valid_from, host, model)
);

-- How much an organization with a limit has. Organizations without the limit have no row and count nothing.
create table kept_counts (
  organization_id text not null references organizations on delete cascade,
  -- sessions: those that are not deleted. storage_bytes: files, bundles, and what these sessions store.
  kind text not null check (kind in ('sessions', 'storage_bytes')),
  kept bigint not null,
  -- When it was last compared with what it counts.
  checked_at timestamptz not null default clock_timestamp(),
  primary key (organization_id, kind)
) with (fillfactor = 50);

-- The functions below change these counts, each for the tables that its triggers are on. As the tables' owner: a call
-- that may add a session may not change the count. Each takes the organization's advisory lock shared before it reads
-- the count. A count that begins takes the lock alone (see recount): it sees all changes before it, and all changes
-- after it see the count.

create function count_session() returns trigger language plpgsql security definer
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

-- Counts all sessions that one statement adds at once.
create function count_sessions_made() returns trigger language plpgsql security definer
  set search_path = dari, pg_temp as $$
declare
  v_added record;
begin
  for v_added in
    select m.organization_id as id, count(*) as sessions, coalesce(sum(h.total_bytes), 0) as bytes
    from made m left join snapshots h on h.id = m.head_snapshot_id
    where m.deleted_at is null group by m.organization_id order by m.organization_id
  loop
    perform pg_advisory_xact_lock_shared(hashtext('dari kept counts'), hashtext(v_added.id));
    if v_added.bytes > 0 then
      update kept_counts set kept = kept + v_added.bytes
        where organization_id = v_added.id and kind = 'storage_bytes';
    end if;
    update kept_counts set kept = kept + v_added.sessions where organization_id = v_added.id and kind = 'sessions';
  end loop;
  return null;
end $$;

create function count_file() returns trigger language plpgsql security definer
  set search_path = dari, pg_temp as $$
declare
  v_was boolean := tg_op <> 'INSERT' and old.deleted_at is null;
  v_is boolean := tg_op <> 'DELETE' and new.deleted_at is null;
  v_organization text := case tg_op when 'DELETE' then old.organization_id else new.organization_id end;
begin
  perform pg_advisory_xact_lock_shared(hashtext('dari kept counts'), hashtext(v_organization));
  update kept_counts set kept = kept + case when v_is then new.size_bytes else 0 end
      - case when v_was then old.size_bytes else 0 end
    where organization_id = v_organization and kind = 'storage_bytes';
  return null;
end $$;

create function count_bundle() returns trigger language plpgsql security definer
  set search_path = dari, pg_temp as $$
declare
  v_organization text := case tg_op when 'DELETE' then old.organization_id else new.organization_id end;
begin
  perform pg_advisory_xact_lock_shared(hashtext('dari kept counts'), hashtext(v_organization));
  update kept_counts set kept = kept + case tg_op when 'DELETE' then -old.size_bytes else new.size_bytes end
    where organization_id = v_organization and kind = 'storage_bytes';
  return null;
end $$;

-- The bytes of a session's values count from their insertion until the session is deleted.
create function count_value() returns trigger language plpgsql security definer
  set search_path = dari, pg_temp as $$
begin
  perform pg_advisory_xact_lock_shared(hashtext('dari kept counts'), hashtext(new.organization_id));
  update kept_counts set kept = kept + new.size_bytes
    where organization_id = new.organization_id and kind = 'storage_bytes'
      and exists (select 1 from sessions where id = new.session_id and deleted_at is null);
  return null;
end $$;

-- The bytes of a recording count from its insertion until it or its session is deleted.
create function count_recording() returns trigger language plpgsql security definer
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

-------------------------------------------------------------------------------------------------------- Publishing --

-- An uploaded bundle: an agent's files and its dari.yml.
create table source_snapshots (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  sha256 text not null,
  size_bytes bigint not null,
  metadata jsonb not null default '{}',
  state text not null default 'pending_upload' check (state in ('pending_upload', 'ready', 'failed')),
  failure_reason text,
  manifest_text text,
  object_key text not null,
  upload_expires_at timestamptz not null,
  created_at timestamptz not null default clock_timestamp(),
  check ((state = 'failed') = (failure_reason is not null)),
  check ((state = 'ready') = (manifest_text is not null))
);
create index source_snapshots_by_organization on source_snapshots (organization_id, id);
create index source_snapshots_by_object on source_snapshots (object_key);
create index source_snapshots_by_age on source_snapshots (created_at);
create trigger count_changed after insert or delete on source_snapshots for each row execute function count_bundle();

-- An agent. Its name is accepted wherever its id is, so it is unique among the agents that are not deleted.
create table agents (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  name text not null,
  active_version_id text,
  next_version_number int not null default 1,
  -- A version with this number or a lower one never activates itself: another one was chosen since it was published.
  activation_floor int not null default 0,
  -- runtime.max_concurrency of the active version, for all sessions of the agent.
  max_concurrency int,
  created_at timestamptz not null default clock_timestamp(),
  deleted_at timestamptz
);
create unique index agents_by_name on agents (organization_id, name) where deleted_at is null;
create index agents_by_organization on agents (organization_id, id);
create index agents_deleted on agents (deleted_at) where deleted_at is not null;
create index agents_limited on agents (organization_id) where max_concurrency is not null;

-- A published state of an agent, and the image that is built from it.
create table versions (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  agent_id text not null references agents on delete cascade,
  number int not null,
  source_snapshot_id text not null references source_snapshots,
  manifest jsonb not null,
  state text not null default 'building' check (state in ('building', 'ready', 'failed')),
  image jsonb,
  failure jsonb,
  warnings jsonb not null default '[]',
  -- Whether it becomes active once it is ready.
  activates_itself boolean not null default true,
  build_fence int not null default 0,
  -- Builds whose worker was lost, or that the platform failed to carry out.
  build_losses int not null default 0,
  build_worker_id text,
  build_lease_until timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  unique (agent_id, number),
  check ((state = 'ready') = (image is not null)),
  check ((state = 'failed') = (failure is not null)),
  check ((state = 'building') = (finished_at is null))
);
alter table agents add foreign key (active_version_id) references versions on delete set null;
create index versions_building on versions (created_at) where state = 'building';
create index versions_by_source_snapshot on versions (source_snapshot_id);
create index versions_by_image on versions ((image ->> 'objectKey')) where image is not null;
create index versions_by_layer on versions ((image -> 'layer' ->> 'objectKey'))
  where image -> 'layer' ->> 'objectKey' is not null;

-- Lines that a build printed.
create table build_logs (
  version_id text not null references versions on delete cascade,
  organization_id text not null references organizations on delete cascade,
  sequence_number int not null,
  text text not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (version_id, sequence_number)
);

-- Dependencies that are installed once per organization, and shared by the images that need them.
create table dependency_layers (
  organization_id text not null,
  -- SHA-256 of all that decides what is installed.
  key text not null,
  -- {digest, objectKey}. Null: it is being built.
  layer jsonb,
  -- The random token of its builder, and when the builder's lease ends.
  holder text,
  lease_until timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  used_at timestamptz not null default clock_timestamp(),
  primary key (organization_id, key),
  check (layer is null or holder is null)
);
create index dependency_layers_by_use on dependency_layers (used_at);
create index dependency_layers_by_object on dependency_layers ((layer ->> 'objectKey')) where layer is not null;

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
    -- Names have at most 200 characters (limits.nameChars).
    v_name := left(new.name, 199 - length(v_number::text)) || '-' || v_number;
    exit when not exists (select 1 from agents
      where organization_id = new.organization_id and name = v_name and deleted_at is null);
  end loop;
  new.name := v_name;
  return new;
end $$;
create trigger number_agent_name before insert on agents for each row execute function number_agent_name();

-- Copies the active version's max_concurrency to the agent.
create function follow_active_version() returns trigger language plpgsql set search_path = dari, pg_temp as $$
begin
  new.max_concurrency := (select (v.manifest -> 'runtime' ->> 'max_concurrency')::int from versions v
    where v.id = new.active_version_id);
  return new;
end $$;
create trigger follow_active_version before insert or update of active_version_id on agents
  for each row execute function follow_active_version();

------------------------------------------------------------------------------------------------------------- Turns --

-- A conversation with an agent. The row is also the session's place in the schedule: one turn at a time follows from
-- one row.
create table sessions (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  agent_id text not null references agents,
  version_id text not null references versions,
  name text,
  metadata jsonb not null default '{}',
  -- The member, API key, schedule or batch that started it. Null: it was imported.
  created_by text,
  state text not null default 'open' check (state in ('open', 'completed', 'expired', 'failed')),
  -- What a message does by default if the session is busy.
  on_busy text not null default 'enqueue'
    check (on_busy in ('enqueue', 'reject', 'interrupt', 'rollback', 'merge', 'steer')),
  -- False: its agent reaches no host. Null and true change nothing.
  internet_access boolean,
  -- Tokens of an earlier generation are revoked.
  token_generation int not null default 0,
  -- Whether it is deleted after its request, because the request said `store: false`.
  is_unstored boolean not null default false,

  schedule text not null default 'idle'
    check (schedule in ('idle', 'ready', 'dispatched', 'leased', 'retry_wait', 'blocked')),
  blocked_reason text check (blocked_reason in ('build', 'budget', 'paused', 'input')),
  -- ready: since when, which orders the dispatch. retry_wait: when the next attempt is due.
  ready_at timestamptz,
  -- Set when the session stops being idle, and kept until it is idle again. is_background is false as soon as one
  -- of its open messages is interactive. batch_id: the batch whose max_concurrency counts its turns. limit_group: the
  -- queue of ready sessions it waits in: 0, or the hash of the limit that it waits for (see limit_group in lanes.sql).
  is_background boolean not null default false,
  batch_id text,
  limit_group int not null default 0,
  dispatch_number bigint not null default 0,
  -- Rises with each claim. A worker's write names it, so that a superseded claim writes nothing.
  fence bigint not null default 0,
  claim_token uuid,
  worker_id text,
  -- dispatched: until when it may stay unclaimed. leased: until when the claim is valid.
  lease_until timestamptz,
  -- No renewal exceeds this, so that a worker cannot renew a claim forever.
  lease_limit timestamptz,

  next_sequence_number int not null default 1,
  -- The number of open messages.
  pending int not null default 0 check (pending >= 0),
  next_event_number bigint not null default 1,
  last_message_id text,
  -- The workspace after the last completed turn.
  head_snapshot_id text,
  -- The head that it began with: another session's snapshot for a fork, its own for an imported session.
  base_snapshot_id text,
  -- Without references: the source of a fork may be deleted.
  forked_from_session_id text,
  forked_from_message_id text,
  created_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  deleted_at timestamptz,
  check ((schedule = 'idle') = (pending = 0)),
  check ((schedule = 'blocked') = (blocked_reason is not null)),
  check ((schedule = 'leased') = (claim_token is not null)),
  check ((schedule in ('dispatched', 'leased')) = (lease_until is not null)),
  check ((schedule in ('ready', 'retry_wait')) = (ready_at is not null)),
  check ((state = 'open') = (ended_at is null))
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
create index sessions_ready on sessions (organization_id, is_background, limit_group, ready_at)
  where schedule = 'ready';
create index sessions_in_flight on sessions (lease_until) include (organization_id)
  where schedule in ('dispatched', 'leased');
create index sessions_retry_wait on sessions (ready_at) where schedule = 'retry_wait';
create index sessions_blocked on sessions (version_id) where schedule = 'blocked';
-- Blocked sessions are checked by agent, so that one look decides about all that wait for the same reason.
create index sessions_held on sessions (organization_id, agent_id, id) where blocked_reason in ('budget', 'paused');
create index sessions_by_organization on sessions (organization_id, id) where deleted_at is null;
create index sessions_by_name on sessions (organization_id, name, id) where name is not null and deleted_at is null;
create index sessions_by_agent on sessions (agent_id, id);
create index sessions_version on sessions (version_id);
create index sessions_by_base on sessions (base_snapshot_id) where base_snapshot_id is not null;
create index sessions_deleted on sessions (deleted_at) where deleted_at is not null;
create index sessions_unstored on sessions (created_at) where is_unstored and deleted_at is null;
create trigger count_made after insert on sessions referencing new table as made
  for each statement execute function count_sessions_made();
create trigger count_changed after update of deleted_at, head_snapshot_id on sessions for each row
  when (old.deleted_at is distinct from new.deleted_at
    or new.deleted_at is null and old.head_snapshot_id is distinct from new.head_snapshot_id)
  execute function count_session();
create trigger count_gone after delete on sessions for each row
  when (old.deleted_at is null) execute function count_session();

-- A sealed secret of one session. It replaces the credential with its name.
create table session_secrets (
  session_id text not null references sessions on delete cascade,
  organization_id text not null references organizations on delete cascade,
  name text not null,
  sealed bytea not null,
  primary key (session_id, name)
);

-- A message to a session, and the turn that it causes. Rows of a session refer to their organization only through the
-- session: a reference of their own would lock the organization's row with every insert.
create table messages (
  id text primary key,
  organization_id text not null,
  session_id text not null references sessions on delete cascade,
  sequence_number int not null,
  state text not null default 'queued'
    check (state in ('queued', 'running', 'waiting_for_input', 'completed', 'failed', 'cancelled')),
  parts jsonb not null,
  metadata jsonb not null default '{}',
  output jsonb,
  files_changed jsonb not null default '[]',
  timings jsonb not null default '{}',
  is_background boolean not null default false,
  -- Finds the session of a client that sends the conversation instead of its id: what was sent before and with it.
  conversation_digest bytea,

  -- Attempts whose entrypoint was called, and claims that were lost or released before the call.
  attempts int not null default 0,
  uncounted_claims int not null default 0,
  max_attempts int not null check (max_attempts > 0),
  fence bigint,
  snapshot_id text,
  cancel_requested_at timestamptz,
  -- The failed message that this one tries again.
  retry_of text,
  -- The later message of this session whose parts begin with this one's. This one ran nothing itself.
  merged_into text,
  -- The message that stopped this one's turn. An interrupted turn stays in the conversation, unless it is rolled back.
  interrupted_by text,
  rolled_back_by text,
  rolled_back_at timestamptz,

  -- Where its attempts begin since one of them was suspended: a side snapshot, with the uploads in it as they were
  -- placed. Null: at the session's head.
  resume_snapshot_id text,
  resume_inputs jsonb,
  -- Whether the turn before it may take it.
  is_steering boolean not null default false,
  -- The earlier message of this session whose attempt has taken it, with the number of the event that says so. Null
  -- again if that attempt is repeated.
  steered_into text,
  steered_attempt text,
  steered_event bigint,
  -- Whether it has rows in message_steps and in recorded_answers, so that messages without them cost nothing.
  has_steps boolean not null default false,
  has_recorded_answers boolean not null default false,
  -- The limits that the request set: requests, tokens, cost_usd. Null: only those of the manifest.
  limits jsonb,
  -- The limits that answers to inputs have raised. They replace those of the manifest and the request.
  raised_limits jsonb,
  -- The message whose recording this one replays, and whether a request without a recorded answer goes to the model.
  replay_of text,
  replay_asks_models boolean,

  -- The ended message that this row copies, in a fork or from another installation, and its session's head after it.
  -- An import knows only the last head.
  copied_from text,
  head_snapshot_id text,
  lacks_workspace boolean not null default false,
  created_at timestamptz not null default clock_timestamp(),
  started_at timestamptz,
  completed_at timestamptz,
  -- Null for copies, so that a failure is listed once.
  failed_at timestamptz,
  unique (session_id, sequence_number),
  check (attempts <= max_attempts),
  check ((state = 'running') = (fence is not null)),
  check ((state in ('completed', 'failed', 'cancelled')) = (completed_at is not null)),
  check (state <> 'completed' or (snapshot_id is null) = (merged_into is not null)),
  check (merged_into is null or (state = 'completed' and output is null and attempts = 0)),
  check (copied_from is null or completed_at is not null),
  check (not lacks_workspace or copied_from is not null and head_snapshot_id is null)
) with (fillfactor = 70);
-- Conditions of the indexes use columns that change only at a message's end, so that a claim changes no index.
create index messages_open on messages (session_id, sequence_number) where completed_at is null;
-- Another expression than in messages_open: with the same one, the planner would search the open messages of a session
-- among those of its organization, which look few without recent statistics.
create index messages_open_by_organization on messages (organization_id)
  where coalesce(completed_at, 'infinity') = 'infinity';
create index messages_by_organization on messages (organization_id, id);
create index messages_failed_at on messages (failed_at, id) where failed_at is not null;
create index messages_failed_at_by_organization on messages (organization_id, failed_at, id)
  where failed_at is not null;
create index messages_by_retry_of on messages (retry_of) where retry_of is not null;
create index messages_by_conversation_digest on messages (organization_id, conversation_digest, created_at desc)
  where conversation_digest is not null;
create index messages_steered on messages (session_id, steered_into) where steered_event is not null;
create index messages_copied_snapshot on messages (snapshot_id) where copied_from is not null;
create index messages_copied_head on messages (head_snapshot_id) where copied_from is not null;

-- Where a message's files are in the workspace. A session uses each path once.
create table session_inputs (
  session_id text not null references sessions on delete cascade,
  organization_id text not null,
  path text not null,
  message_id text not null,
  file_id text not null,
  primary key (session_id, path)
);
create index session_inputs_by_file on session_inputs (file_id);
create index session_inputs_by_message on session_inputs (message_id);

-- What an agent asks a person or another system for in the middle of a message. One input of a session waits at most.
create table message_inputs (
  message_id text not null,
  key text not null,
  organization_id text not null,
  session_id text not null references sessions on delete cascade,
  -- In the order in which the message asked.
  number int not null check (number > 0),
  state text not null default 'waiting' check (state in ('waiting', 'answered', 'expired', 'cancelled')),
  -- The JSON Schema that an answer must satisfy, and the question for people.
  schema jsonb not null,
  prompt text,
  value jsonb,
  -- What the message has used of the limit that it asks to raise: limit, value, used, requested, needed. Null: the
  -- agent asks.
  budget jsonb,
  requested_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  ended_at timestamptz,
  primary key (message_id, key),
  check ((state = 'waiting') = (ended_at is null)),
  check ((state = 'answered') = (value is not null))
);
create unique index message_inputs_waiting on message_inputs (session_id) where state = 'waiting';
create index message_inputs_expiring on message_inputs (expires_at) where state = 'waiting';
create index message_inputs_waiting_by_organization on message_inputs (organization_id, requested_at)
  where state = 'waiting';
create index message_inputs_by_session on message_inputs (session_id);

-- The result of a step that an attempt of an open message has recorded. A later attempt does not run the step again.
create table message_steps (
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

-- The end of a message, whatever causes it, deletes its steps.
create function delete_steps() returns trigger language plpgsql as $$
begin
  delete from message_steps where session_id = new.session_id and message_id = new.id;
  return null;
end $$;
create trigger delete_steps after update of completed_at on messages for each row
  when (new.has_steps and old.completed_at is null and new.completed_at is not null) execute function delete_steps();

-- A claim of a message by a worker, and what came of it.
create table attempts (
  id text primary key,
  organization_id text not null,
  session_id text not null,
  message_id text not null references messages on delete cascade,
  number int not null,
  fence bigint not null,
  worker_id text not null,
  -- What the worker's sandbox guarantees.
  guarantees jsonb,
  claimed_at timestamptz not null default clock_timestamp(),
  -- When the entrypoint was called. The attempt then counts at its end.
  called_at timestamptz,
  ended_at timestamptz,
  outcome text
    check (outcome in ('completed', 'failed', 'retry', 'released', 'lost', 'cancelled', 'suspended')),
  failure jsonb,
  side_snapshot_id text,
  -- The last event that was recorded, so that a call that is repeated after a lost reply adds nothing.
  last_event_number int not null default 0,
  -- How many messages it has taken, and whether the next one would exceed a limit.
  steered_messages int not null default 0,
  is_full boolean not null default false,
  -- What it has used at its model, as the agent reported it, and the tokens in it. Empty: it reported nothing. Null: it
  -- was not called, or has not ended.
  usage jsonb,
  tokens bigint,
  -- Sums of its rows in model_requests, written when it ends. Null: it has none, or has not ended.
  -- metered_cost_microusd is null also if no request has a cost.
  metered_requests bigint,
  metered_tokens bigint,
  metered_cost_microusd bigint,
  unpriced_requests bigint,
  unique (session_id, fence),
  check ((ended_at is null) = (outcome is null))
) with (fillfactor = 70);
create index attempts_by_message on attempts (message_id, fence);

-- Lines that an attempt printed, and what the platform says about it.
create table attempt_logs (
  attempt_id text not null references attempts on delete cascade,
  organization_id text not null,
  message_id text not null,
  sequence_number int not null,
  stream text not null check (stream in ('stdout', 'stderr', 'platform')),
  text text not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (attempt_id, sequence_number)
);
create index attempt_logs_by_message on attempt_logs (message_id);

-- A request of an attempt to a model. The last row of an attempt with very many requests counts those without a row of
-- their own: it has no host and no format.
create table model_requests (
  message_id text not null references messages (id) on delete cascade,
  fence bigint not null,
  ordinal int not null check (ordinal > 0),
  organization_id text not null,
  session_id text not null,
  attempt_id text not null,
  requests int not null check (requests > 0),
  host text,
  format text check (format in ('openai-responses', 'openai-chat', 'anthropic-messages', 'gemini')),
  model text,
  -- The status of the answer. Null: there was none.
  status int,
  input_tokens bigint,
  cached_input_tokens bigint,
  cache_write_tokens bigint,
  output_tokens bigint,
  reasoning_tokens bigint,
  -- Micro-dollars by the price list in force when the row was stored. Null: not known.
  cost_microusd bigint,
  -- What the request can use, as input and output together, and what it can cost. Both count until the result is known.
  -- Null: not reserved.
  reserved_tokens bigint check (reserved_tokens >= 0),
  reserved_cost_microusd bigint,
  finish_reason text,
  duration_ms bigint not null,
  is_complete boolean not null,
  -- Why the rest of the answer was not read.
  unread text check (unread in ('encoding', 'too_large', 'too_fast', 'too_many', 'malformed')),
  -- Whether the agent got a recorded answer, so that no model was asked.
  is_recorded boolean not null default false,
  created_at timestamptz not null default clock_timestamp(),
  primary key (message_id, fence, ordinal)
);

-- A session's ledger. Rows never change.
create table events (
  session_id text not null references sessions on delete cascade,
  sequence_number bigint not null,
  organization_id text not null,
  type text not null,
  message_id text,
  attempt_id text,
  data jsonb not null default '{}',
  created_at timestamptz not null default clock_timestamp(),
  primary key (session_id, sequence_number)
);
-- What organizations have used lately, which the dispatcher charges.
create index events_attempt_ended on events (created_at) where type = 'attempt.ended';

----------------------------------------------------------------------------------------------------------- Storage --

-- An uploaded file.
create table files (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  -- The session whose token uploaded the file, or the unstored session that it was sent to. Only this session's tokens
  -- can use it. Null: a key uploaded it.
  session_id text,
  filename text not null,
  content_type text not null,
  size_bytes bigint not null,
  sha256 text not null,
  object_key text not null,
  created_at timestamptz not null default clock_timestamp(),
  deleted_at timestamptz
);
create index files_by_organization on files (organization_id, id) where deleted_at is null;
create index files_by_object on files (object_key);
create index files_deleted on files (deleted_at) where deleted_at is not null;
create trigger count_made after insert on files for each row
  when (new.deleted_at is null) execute function count_file();
create trigger count_changed after update of deleted_at on files for each row
  when (old.deleted_at is distinct from new.deleted_at) execute function count_file();
create trigger count_gone after delete on files for each row
  when (old.deleted_at is null) execute function count_file();

-- A state of a workspace. Without a reference to its session: it outlives the session while a fork builds on it.
create table snapshots (
  id text primary key,
  organization_id text not null,
  session_id text not null,
  parent_id text,
  message_id text,
  fence bigint,
  -- turn: of a completed turn. side: of an attempt that did not complete. write: of a call that changed files.
  kind text not null check (kind in ('turn', 'side', 'write')),
  -- Null: the turn changed nothing, and the tree is the parent's.
  object_key text,
  -- A full manifest ends the chain; delta_depth counts the objects up to it.
  is_full boolean not null default false,
  delta_depth int not null default 0,
  tree_hash text not null,
  size_bytes bigint not null default 0,
  files int not null,
  total_bytes bigint not null,
  created_at timestamptz not null default clock_timestamp(),
  -- Set if the session was rolled back to an earlier message.
  rolled_back_at timestamptz
);
create index snapshots_by_session on snapshots (session_id, id);
create unique index snapshots_no_fork on snapshots (session_id, parent_id) nulls not distinct
  where kind = 'turn' and rolled_back_at is null;
create index snapshots_by_object on snapshots (object_key) where object_key is not null;
create index snapshots_by_parent on snapshots (parent_id) where parent_id is not null;
-- Where a full manifest should end the chain.
create index snapshots_to_squash on snapshots (id) where delta_depth > 0 and delta_depth % 16 = 0 and not is_full;

-- An object of a snapshot, recorded with its references before a snapshot names it, and its size in the store.
create table snapshot_objects (
  object_key text primary key,
  organization_id text not null,
  size_bytes bigint not null
);

-- Another object that has contents of a snapshot's object. It is kept as long as the snapshot's object is.
create table object_references (
  object_key text not null references snapshot_objects on delete cascade,
  referenced_key text not null,
  organization_id text not null,
  -- How many bytes of the other object are needed.
  stored_bytes bigint not null,
  primary key (object_key, referenced_key)
);
create index object_references_by_referenced on object_references (referenced_key);

-- An object that no row names. It is marked first and deleted later. The row outlives the object for as long as a turn
-- may run that began with it: the turn's save is then refused, instead of naming a deleted object.
create table tombstones (
  object_key text primary key,
  organization_id text not null,
  size_bytes bigint not null,
  marked_at timestamptz not null default clock_timestamp(),
  -- From now on, no row may name the object again.
  doomed_at timestamptz,
  deleted_at timestamptz,
  check (deleted_at is null or doomed_at is not null)
);
create index tombstones_waiting on tombstones (marked_at) where deleted_at is null;
create index tombstones_deleted on tombstones (deleted_at) where deleted_at is not null;

-- How far a sweep that works in small steps has come.
create table sweeps (
  name text primary key,
  cursor text,
  started_at timestamptz not null default clock_timestamp()
);

-- A session whose rows are deleted, while forks may still build on its snapshots.
create table purged_sessions (
  session_id text primary key,
  organization_id text not null,
  looked_at timestamptz not null default clock_timestamp()
);
create index purged_sessions_by_look on purged_sessions (looked_at);

-- A large argument or result of a tool call, or a picture in it, that is stored as an object.
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
create trigger count_made after insert on message_values for each row execute function count_value();

-- An answer that an attempt of an open message got from a model. A later attempt gets it without asking the model. The
-- object is sealed.
create table recorded_answers (
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
create index recorded_answers_object on recorded_answers (object_key);

-- The recorded answers of a completed message are kept until expires_at, so that its turn can be replayed.
create table recordings (
  session_id text not null references sessions (id) on delete cascade,
  message_id text not null,
  organization_id text not null,
  agent_id text not null,
  -- The number of recorded answers, and the bytes of their objects.
  answers int not null,
  size_bytes bigint not null check (size_bytes >= 0),
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  primary key (session_id, message_id)
);
create index recordings_by_agent on recordings (agent_id, message_id);
create index recordings_by_expiry on recordings (expires_at);
create trigger count_kept after insert or delete on recordings for each row execute function count_recording();

-- The end of a message, whatever causes it, deletes its recorded answers, unless they have become a recording. The
-- sweep of the store deletes their objects.
create function delete_recorded_answers() returns trigger language plpgsql as $$
begin
  delete from recorded_answers where session_id = new.session_id and message_id = new.id
    and not exists (select 1 from recordings r where r.session_id = new.session_id and r.message_id = new.id);
  return null;
end $$;
create trigger delete_recorded_answers after update of completed_at on messages for each row
  when (new.has_recorded_answers and old.completed_at is null and new.completed_at is not null)
  execute function delete_recorded_answers();

-- The end of a recording deletes its recorded answers.
create function delete_recording() returns trigger language plpgsql as $$
begin
  delete from recorded_answers where session_id = old.session_id and message_id = old.message_id;
  return null;
end $$;
create trigger delete_recording after delete on recordings for each row execute function delete_recording();

-- The recordings of a deleted agent cannot be replayed.
create function expire_recordings() returns trigger language plpgsql as $$
begin
  update recordings set expires_at = clock_timestamp() where agent_id = new.id and expires_at > clock_timestamp();
  return null;
end $$;
create trigger expire_recordings after update of deleted_at on agents for each row
  when (old.deleted_at is null and new.deleted_at is not null) execute function expire_recordings();

-- The functions below keep a row from naming an object that is being deleted, whatever writes the row.

-- The sweep deletes what no recorded object references, so a snapshot's object must be recorded (see record_object).
create function keep_object() returns trigger language plpgsql as $$
begin
  if new.object_key is null then return new; end if;
  delete from tombstones where object_key = new.object_key and doomed_at is null;
  if exists (select 1 from tombstones where object_key = new.object_key) then
    raise exception 'object % of snapshot % is being deleted', new.object_key, new.id;
  end if;
  if not exists (select 1 from snapshot_objects where object_key = new.object_key) then
    raise exception 'object % of snapshot % is not recorded', new.object_key, new.id;
  end if;
  return new;
end $$;
create trigger keep_object before insert or update of object_key on snapshots
  for each row execute function keep_object();

-- A build reuses a stored image with the same content.
create function keep_image() returns trigger language plpgsql as $$
declare
  v_keys text[] := array[new.image ->> 'objectKey', new.image -> 'layer' ->> 'objectKey'];
begin
  if new.image is null then return new; end if;
  delete from tombstones where object_key = any(v_keys) and doomed_at is null;
  if exists (select 1 from tombstones where object_key = any(v_keys)) then
    raise exception 'the image of version % is being deleted', new.id;
  end if;
  return new;
end $$;
create trigger keep_image before insert or update of image on versions for each row execute function keep_image();

create function keep_layer() returns trigger language plpgsql as $$
begin
  if new.layer is null then return new; end if;
  delete from tombstones where object_key = new.layer ->> 'objectKey' and doomed_at is null;
  if exists (select 1 from tombstones where object_key = new.layer ->> 'objectKey') then
    raise exception 'the object of layer % is being deleted', new.key;
  end if;
  return new;
end $$;
create trigger keep_layer before insert or update of layer on dependency_layers
  for each row execute function keep_layer();

create function keep_value() returns trigger language plpgsql as $$
begin
  delete from tombstones where object_key = new.object_key and doomed_at is null;
  if exists (select 1 from tombstones where object_key = new.object_key) then
    raise exception 'object % of value % is being deleted', new.object_key, new.id;
  end if;
  return new;
end $$;
create trigger keep_value before insert on message_values for each row execute function keep_value();

-------------------------------------------------------------------------------------------------------- Automation --

-- A message that the platform sends at the times of a cron expression.
create table schedules (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  agent_id text not null references agents on delete cascade,
  -- Null: a new session for each firing. If the session is gone, the next firing says so.
  session_id text,
  name text,
  -- Five fields, and an IANA name.
  cron text not null,
  time_zone text not null,
  parts jsonb not null,
  metadata jsonb not null default '{}',
  is_background boolean not null default true,
  -- What a firing does if the message of the previous one is still open.
  overlap text not null default 'skip' check (overlap in ('skip', 'allow', 'replace')),
  status text not null default 'active' check (status in ('active', 'paused')),
  paused_reason text check (paused_reason in ('manual', 'agent_deleted', 'session_ended', 'unknown_times')),
  next_due_at timestamptz,
  -- The newest firing that sent a message.
  last_fired_at timestamptz,
  last_message_id text,
  -- The key that created or changed it last. Null: a person in a browser.
  changed_by_key_id text,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  check ((status = 'paused') = (paused_reason is not null)),
  check ((status = 'active') = (next_due_at is not null))
) with (fillfactor = 80);
create index schedules_by_organization on schedules (organization_id, id);
create index schedules_by_agent on schedules (agent_id);
create index schedules_due on schedules (next_due_at) where status = 'active';

-- What came of a due time, or of several in a row that passed while no program looked.
create table schedule_firings (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  schedule_id text not null references schedules on delete cascade,
  -- missed: the first of them.
  due_at timestamptz not null,
  outcome text not null check (outcome in ('fired', 'skipped', 'missed', 'failed')),
  session_id text,
  message_id text,
  reason_code text,
  reason text,
  missed_count int check (missed_count > 0),
  created_at timestamptz not null default clock_timestamp(),
  unique (schedule_id, due_at),
  check ((outcome = 'fired') = (message_id is not null)),
  check ((outcome = 'fired') = (session_id is not null)),
  check ((outcome = 'fired') = (reason is null)),
  check ((reason is null) = (reason_code is null)),
  check ((outcome = 'missed') = (missed_count is not null))
);
create index schedule_firings_by_age on schedule_firings (created_at);
create index schedule_firings_by_organization on schedule_firings (organization_id);

-- Many sessions that one call starts.
create table session_batches (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  agent_id text not null references agents on delete cascade,
  name text,
  metadata jsonb not null default '{}',
  is_background boolean not null default true,
  max_concurrency int check (max_concurrency > 0),
  total int not null check (total > 0),
  created_at timestamptz not null default clock_timestamp(),
  cancel_requested_at timestamptz,
  -- When the cancellation had reached every open message.
  cancelled_at timestamptz,
  check (cancelled_at is null or cancel_requested_at is not null)
);
create index session_batches_by_organization on session_batches (organization_id, id);
create index session_batches_by_age on session_batches (created_at);
create index session_batches_by_agent on session_batches (agent_id);
create index session_batches_to_cancel on session_batches (cancel_requested_at)
  where cancel_requested_at is not null and cancelled_at is null;

-- The session and the message of an item of a batch, numbered from 0. They may be deleted before the batch.
create table session_batch_items (
  batch_id text not null references session_batches on delete cascade,
  number int not null,
  organization_id text not null references organizations on delete cascade,
  session_id text not null,
  message_id text not null,
  primary key (batch_id, number)
);
create index session_batch_items_by_session on session_batch_items (session_id);

-- A URL that turns requests of another service (webhooks) into messages to an agent.
create table triggers (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  agent_id text not null references agents on delete cascade,
  name text,
  -- SHA-256 of the token in the URL, which is not stored.
  token_hash bytea not null unique,
  scheme text not null check (scheme in ('none', 'standard-webhooks', 'github', 'slack', 'stripe')),
  -- Sealed. Null: the sender's secret is not known yet, and every event is refused, unless the scheme is none.
  secret bytea,
  old_secret bytea,
  old_secret_expires_at timestamptz,
  text_template text not null,
  -- Null: a new session for each event.
  session_key text,
  -- Null: the scheme's own id.
  event_id text,
  conditions jsonb not null default '[]',
  missing text not null default 'empty' check (missing in ('empty', 'refuse')),
  includes_body boolean not null default false,
  is_background boolean not null default false,
  status text not null default 'active' check (status in ('active', 'paused')),
  changed_by_key_id text,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  check ((old_secret is null) = (old_secret_expires_at is null)),
  check (scheme <> 'none' or secret is null)
);
create index triggers_by_organization on triggers (organization_id, id);
create index triggers_by_agent on triggers (agent_id, id);

-- The session that a key of a trigger leads to. The reference is checked at the end of the transaction, which creates
-- the session after this row.
create table trigger_sessions (
  trigger_id text not null references triggers on delete cascade,
  key_digest bytea not null,
  organization_id text not null references organizations on delete cascade,
  session_id text not null references sessions on delete cascade deferrable initially deferred,
  primary key (trigger_id, key_digest)
) with (fillfactor = 80);
create index trigger_sessions_by_session on trigger_sessions (session_id);
create index trigger_sessions_by_organization on trigger_sessions (organization_id);

---------------------------------------------------------------------------------------------------------- Outbound --

-- A URL of another service that gets events.
create table webhook_endpoints (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  -- Null: events of every agent. The endpoint outlives its agent, which has no more events then.
  agent_id text,
  url text not null,
  description text,
  event_types text[] not null check (cardinality(event_types) > 0),
  status text not null default 'enabled' check (status in ('enabled', 'disabled')),
  disabled_reason text check (disabled_reason in ('manual', 'failing', 'gone', 'backlog')),
  -- Failed attempts since the last successful one, and when the first of them failed.
  failures int not null default 0,
  failing_since timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  deleted_at timestamptz,
  check ((status = 'disabled') = (disabled_reason is not null)),
  check ((failures = 0) = (failing_since is null))
);
create index webhook_endpoints_by_organization on webhook_endpoints (organization_id, id) where deleted_at is null;
create index webhook_endpoints_listening on webhook_endpoints (organization_id)
  where status = 'enabled' and deleted_at is null;
create index webhook_endpoints_deleted on webhook_endpoints (deleted_at) where deleted_at is not null;

-- The secrets that an endpoint's deliveries are signed with now. The newest has no end.
create table webhook_secrets (
  endpoint_id text not null references webhook_endpoints on delete cascade,
  number int not null,
  organization_id text not null references organizations on delete cascade,
  sealed bytea not null,
  expires_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  primary key (endpoint_id, number)
);

-- Events that a session's ledger got, written in the same transaction, and only if an endpoint listens.
create table webhook_outbox (
  id bigint generated always as identity primary key,
  organization_id text not null,
  session_id text not null,
  first_number bigint not null,
  -- The number after the last.
  end_number bigint not null
);

-- One event for one endpoint.
create table webhook_deliveries (
  id text primary key,
  organization_id text not null,
  endpoint_id text not null references webhook_endpoints on delete cascade,
  event_id text not null,
  type text not null,
  -- Null: a test, which is in no ledger.
  session_id text,
  sequence_number bigint,
  agent_id text,
  message_id text,
  attempt_id text,
  event_created_at timestamptz not null,
  state text not null default 'pending' check (state in ('pending', 'delivered', 'failed', 'cancelled')),
  -- Attempts that began since the delivery was created, or sent again by hand.
  attempts int not null default 0,
  -- When it may be claimed. A claim postpones it, so that a delivery whose holder dies is claimed again.
  due_at timestamptz,
  claim_token uuid,
  attempted_at timestamptz,
  duration_ms int,
  response_status int,
  response_excerpt text,
  error text,
  created_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  unique (endpoint_id, event_id),
  check ((state = 'pending') = (due_at is not null)),
  check ((state = 'pending') = (ended_at is null)),
  check (state = 'pending' or claim_token is null),
  check ((session_id is null) = (sequence_number is null))
) with (fillfactor = 80);
create index webhook_deliveries_pending on webhook_deliveries (endpoint_id, due_at) where state = 'pending';
create index webhook_deliveries_by_endpoint on webhook_deliveries (endpoint_id, id);
create index webhook_deliveries_undelivered on webhook_deliveries (endpoint_id, id)
  where state in ('failed', 'cancelled');
create index webhook_deliveries_ended on webhook_deliveries (ended_at) where ended_at is not null;

-- Notes that a ledger has grown. A transaction that appends to a ledger locks the session's row, so the numbers are
-- committed in their order, and the note with them: a reader of the note finds the events. Without sequential scans:
-- the planner takes the table for small, and would read the endpoints of all organizations.
create function note_webhook_events() returns trigger language plpgsql set enable_seqscan = off as $$
begin
  if exists (select 1 from webhook_endpoints w where w.organization_id = new.organization_id
      and w.status = 'enabled' and w.deleted_at is null and (w.agent_id is null or w.agent_id = new.agent_id)) then
    insert into webhook_outbox (organization_id, session_id, first_number, end_number)
      values (new.organization_id, new.id, coalesce(old.next_event_number, 1), new.next_event_number);
  end if;
  return null;
end $$;
create trigger sessions_note_first_events after insert on sessions
  for each row when (new.next_event_number > 1) execute function note_webhook_events();
create trigger sessions_note_events after update of next_event_number on sessions
  for each row when (new.next_event_number > old.next_event_number) execute function note_webhook_events();

-------------------------------------------------------------------------------------------------------- Operations --

-- A worker of the fleet.
create table workers (
  id text primary key,
  -- The number of its release. A worker below lowest_release() claims nothing.
  release int not null,
  pool text not null,
  slots int not null check (slots >= 0),
  draining boolean not null default false,
  -- Its last report (WorkerReport in packages/domain).
  details jsonb not null,
  started_at timestamptz not null default clock_timestamp(),
  seen_at timestamptz not null default clock_timestamp()
);

-- The process that does a task which one process at a time may do.
create table leaders (
  name text primary key,
  holder text not null,
  seen_at timestamptz not null default clock_timestamp()
);

-- One row while operators let no turn begin.
create table platform_stops (
  only_one boolean primary key default true check (only_one),
  reason text not null,
  stopped_at timestamptz not null default clock_timestamp()
);

-- An idempotency key and the resource that its call created, written in one transaction. The resource is null only
-- inside it. The fingerprint tells whether a repeated call has the same body.
create table idempotency_keys (
  organization_id text not null references organizations on delete cascade,
  method text not null,
  path text not null,
  key text not null,
  fingerprint text not null,
  resource_id text,
  status int,
  created_at timestamptz not null default clock_timestamp(),
  primary key (organization_id, method, path, key)
);
create index idempotency_keys_by_age on idempotency_keys (created_at);
