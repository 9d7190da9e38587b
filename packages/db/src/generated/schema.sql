-- The schema after all migrations, written by
-- `DARI_WRITE_SCHEMA=1 npm test -- packages/db/tests/schema.test.ts`.
-- For reading and review only: programs run migrations/*.sql and functions/*.sql.

create table agents (
  id text not null,
  organization_id text not null,
  name text not null,
  active_version_id text,
  next_version_number integer not null default 1,
  activation_floor integer not null default 0,
  max_concurrency integer,
  created_at timestamp with time zone not null default clock_timestamp(),
  deleted_at timestamp with time zone,
  constraint agents_pkey PRIMARY KEY (id),
  constraint agents_active_version_id_fkey FOREIGN KEY (active_version_id) REFERENCES versions(id) ON DELETE SET NULL,
  constraint agents_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX agents_by_name ON agents USING btree (organization_id, name) WHERE deleted_at IS NULL;
CREATE INDEX agents_by_organization ON agents USING btree (organization_id, id);
CREATE INDEX agents_deleted ON agents USING btree (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX agents_limited ON agents USING btree (organization_id) WHERE max_concurrency IS NOT NULL;
CREATE TRIGGER expire_recordings AFTER UPDATE OF deleted_at ON agents FOR EACH ROW WHEN (old.deleted_at IS NULL AND new.deleted_at IS NOT NULL) EXECUTE FUNCTION expire_recordings();
CREATE TRIGGER follow_active_version BEFORE INSERT OR UPDATE OF active_version_id ON agents FOR EACH ROW EXECUTE FUNCTION follow_active_version();
CREATE TRIGGER number_agent_name BEFORE INSERT ON agents FOR EACH ROW EXECUTE FUNCTION number_agent_name();
create policy platform on agents for all to dari_app using (true);
create policy tenant on agents for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table allowed_origins (
  organization_id text not null,
  origins text[] not null,
  updated_at timestamp with time zone not null default clock_timestamp(),
  constraint allowed_origins_pkey PRIMARY KEY (organization_id),
  constraint allowed_origins_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE CASCADE
);
create policy platform on allowed_origins for all to dari_app using (true);
create policy tenant on allowed_origins for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table answer_recording_settings (
  organization_id text not null,
  mode text not null,
  updated_at timestamp with time zone not null default clock_timestamp(),
  constraint answer_recording_settings_pkey PRIMARY KEY (organization_id),
  constraint answer_recording_settings_mode_check CHECK (mode = ANY (ARRAY['allowed'::text, 'never'::text])),
  constraint answer_recording_settings_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE CASCADE
);
create policy platform on answer_recording_settings for all to dari_app using (true);
create policy tenant on answer_recording_settings for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table api_keys (
  id text not null,
  organization_id text not null,
  label text not null,
  secret_hash bytea not null,
  scopes text[] not null,
  member_id text,
  manages_owners boolean not null default true,
  let_in_by text[] not null default '{}'::text[],
  creator_key_id text,
  is_app boolean not null default false,
  max_requests_per_minute integer,
  max_messages_per_minute integer,
  max_upload_bytes_per_hour bigint,
  expires_at timestamp with time zone,
  last_used_at timestamp with time zone,
  revoked_at timestamp with time zone,
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint api_keys_pkey PRIMARY KEY (id),
  constraint api_keys_max_messages_per_minute_check CHECK (max_messages_per_minute > 0),
  constraint api_keys_max_requests_per_minute_check CHECK (max_requests_per_minute > 0),
  constraint api_keys_max_upload_bytes_per_hour_check CHECK (max_upload_bytes_per_hour > 0),
  constraint api_keys_member_id_fkey FOREIGN KEY (member_id) REFERENCES members(id) ON DELETE CASCADE,
  constraint api_keys_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE CASCADE,
  constraint api_keys_secret_hash_key UNIQUE (secret_hash)
);
CREATE INDEX api_keys_by_creator ON api_keys USING btree (creator_key_id) WHERE creator_key_id IS NOT NULL;
CREATE INDEX api_keys_by_let_in ON api_keys USING gin (let_in_by);
CREATE INDEX api_keys_by_member ON api_keys USING btree (member_id) WHERE member_id IS NOT NULL;
CREATE INDEX api_keys_by_organization ON api_keys USING btree (organization_id, id);
create policy platform on api_keys for all to dari_app using (true);
create policy tenant on api_keys for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table attempt_logs (
  attempt_id text not null,
  organization_id text not null,
  message_id text not null,
  sequence_number integer not null,
  stream text not null,
  text text not null,
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint attempt_logs_pkey PRIMARY KEY (attempt_id, sequence_number),
  constraint attempt_logs_attempt_id_fkey FOREIGN KEY (attempt_id) REFERENCES attempts(id) ON DELETE CASCADE,
  constraint attempt_logs_stream_check CHECK (stream = ANY (ARRAY['stdout'::text, 'stderr'::text, 'platform'::text]))
);
CREATE INDEX attempt_logs_by_message ON attempt_logs USING btree (message_id);
create policy platform on attempt_logs for all to dari_app using (true);
create policy tenant on attempt_logs for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table attempts (
  id text not null,
  organization_id text not null,
  session_id text not null,
  message_id text not null,
  number integer not null,
  fence bigint not null,
  worker_id text not null,
  guarantees jsonb,
  claimed_at timestamp with time zone not null default clock_timestamp(),
  called_at timestamp with time zone,
  ended_at timestamp with time zone,
  outcome text,
  failure jsonb,
  side_snapshot_id text,
  last_event_number integer not null default 0,
  steered_messages integer not null default 0,
  is_full boolean not null default false,
  usage jsonb,
  tokens bigint,
  metered_requests bigint,
  metered_tokens bigint,
  metered_cost_microusd bigint,
  unpriced_requests bigint,
  constraint attempts_pkey PRIMARY KEY (id),
  constraint attempts_check CHECK ((ended_at IS NULL) = (outcome IS NULL)),
  constraint attempts_message_id_fkey FOREIGN KEY (message_id) REFERENCES messages(id) ON DELETE CASCADE,
  constraint attempts_outcome_check CHECK (outcome = ANY (ARRAY['completed'::text, 'failed'::text, 'retry'::text, 'released'::text, 'lost'::text, 'cancelled'::text, 'suspended'::text])),
  constraint attempts_session_id_fence_key UNIQUE (session_id, fence)
);
CREATE INDEX attempts_by_message ON attempts USING btree (message_id, fence);
create policy platform on attempts for all to dari_app using (true);
create policy tenant on attempts for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table audit_entries (
  id text not null,
  organization_id text not null,
  actor_key_id text,
  actor_member_id text,
  action text not null,
  target text not null,
  details jsonb not null default '{}'::jsonb,
  request_id text,
  reply jsonb,
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint audit_entries_pkey PRIMARY KEY (id),
  constraint audit_entries_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id)
);
CREATE INDEX audit_entries_by_organization ON audit_entries USING btree (organization_id, created_at, id);
create policy platform on audit_entries for all to dari_app using (true);
create policy tenant on audit_entries for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table budgets (
  id text not null,
  organization_id text not null,
  scope text not null,
  target_id text not null,
  period text not null,
  set_by text not null,
  max_turns bigint,
  max_turn_seconds bigint,
  max_tokens bigint,
  turns bigint not null default 0,
  turn_seconds double precision not null default 0,
  tokens bigint not null default 0,
  period_started_at timestamp with time zone not null,
  changed_at timestamp with time zone not null default now(),
  last_end_at timestamp with time zone,
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint budgets_pkey PRIMARY KEY (id),
  constraint budgets_check CHECK (num_nonnulls(max_turns, max_turn_seconds, max_tokens) > 0),
  constraint budgets_max_tokens_check CHECK (max_tokens >= 0),
  constraint budgets_max_turn_seconds_check CHECK (max_turn_seconds >= 0),
  constraint budgets_max_turns_check CHECK (max_turns >= 0),
  constraint budgets_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE CASCADE,
  constraint budgets_organization_id_target_id_scope_period_set_by_key UNIQUE (organization_id, target_id, scope, period, set_by),
  constraint budgets_period_check CHECK (period = ANY (ARRAY['day'::text, 'month'::text, 'total'::text])),
  constraint budgets_scope_check CHECK (scope = ANY (ARRAY['organization'::text, 'agent'::text, 'session'::text])),
  constraint budgets_set_by_check CHECK (set_by = ANY (ARRAY['organization'::text, 'operator'::text]))
);
create policy platform on budgets for all to dari_app using (true);
create policy tenant on budgets for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table build_logs (
  version_id text not null,
  organization_id text not null,
  sequence_number integer not null,
  text text not null,
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint build_logs_pkey PRIMARY KEY (version_id, sequence_number),
  constraint build_logs_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE CASCADE,
  constraint build_logs_version_id_fkey FOREIGN KEY (version_id) REFERENCES versions(id) ON DELETE CASCADE
);
create policy platform on build_logs for all to dari_app using (true);
create policy tenant on build_logs for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table connected_apps (
  api_key_id text not null,
  organization_id text not null,
  client_id text not null,
  client_name text not null,
  redirect_uri text not null,
  code_challenge text not null,
  generation integer not null default 0,
  changed_at timestamp with time zone not null default clock_timestamp(),
  ends_at timestamp with time zone not null,
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint connected_apps_pkey PRIMARY KEY (api_key_id),
  constraint connected_apps_api_key_id_fkey FOREIGN KEY (api_key_id) REFERENCES api_keys(id) ON DELETE CASCADE,
  constraint connected_apps_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE CASCADE
);
CREATE INDEX connected_apps_by_end ON connected_apps USING btree (ends_at);
CREATE INDEX connected_apps_by_organization ON connected_apps USING btree (organization_id);
create policy platform on connected_apps for all to dari_app using (true);
create policy tenant on connected_apps for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table credentials (
  id text not null,
  organization_id text not null,
  name text not null,
  sealed bytea not null,
  hosts text[],
  created_at timestamp with time zone not null default clock_timestamp(),
  updated_at timestamp with time zone not null default clock_timestamp(),
  constraint credentials_pkey PRIMARY KEY (id),
  constraint credentials_hosts_check CHECK (cardinality(hosts) > 0),
  constraint credentials_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE CASCADE,
  constraint credentials_organization_id_name_key UNIQUE (organization_id, name)
);
create policy platform on credentials for all to dari_app using (true);
create policy tenant on credentials for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table dependency_layers (
  organization_id text not null,
  key text not null,
  layer jsonb,
  holder text,
  lease_until timestamp with time zone,
  created_at timestamp with time zone not null default clock_timestamp(),
  used_at timestamp with time zone not null default clock_timestamp(),
  constraint dependency_layers_pkey PRIMARY KEY (organization_id, key),
  constraint dependency_layers_check CHECK (layer IS NULL OR holder IS NULL)
);
CREATE INDEX dependency_layers_by_object ON dependency_layers USING btree ((layer ->> 'objectKey'::text)) WHERE layer IS NOT NULL;
CREATE INDEX dependency_layers_by_use ON dependency_layers USING btree (used_at);
CREATE TRIGGER keep_layer BEFORE INSERT OR UPDATE OF layer ON dependency_layers FOR EACH ROW EXECUTE FUNCTION keep_layer();
create policy platform on dependency_layers for all to dari_app using (true);
create policy tenant on dependency_layers for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table device_requests (
  device_hash bytea not null,
  user_hash bytea not null,
  device_name text not null,
  state text not null default 'pending'::text,
  organization_id text,
  member_id text,
  manages_owners boolean not null default false,
  let_in_by text[] not null default '{}'::text[],
  address text,
  interval_seconds integer not null,
  polled_at timestamp with time zone,
  expires_at timestamp with time zone not null,
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint device_requests_pkey PRIMARY KEY (device_hash),
  constraint device_requests_check CHECK ((state = 'approved'::text) = (member_id IS NOT NULL)),
  constraint device_requests_check1 CHECK ((member_id IS NULL) = (organization_id IS NULL)),
  constraint device_requests_interval_seconds_check CHECK (interval_seconds > 0),
  constraint device_requests_member_id_fkey FOREIGN KEY (member_id) REFERENCES members(id) ON DELETE CASCADE,
  constraint device_requests_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE CASCADE,
  constraint device_requests_state_check CHECK (state = ANY (ARRAY['pending'::text, 'approved'::text, 'denied'::text])),
  constraint device_requests_user_hash_key UNIQUE (user_hash)
);
CREATE INDEX device_requests_by_address ON device_requests USING btree (address, expires_at);
CREATE INDEX device_requests_by_expiry ON device_requests USING btree (expires_at);
CREATE INDEX device_requests_by_let_in ON device_requests USING gin (let_in_by);
CREATE INDEX device_requests_by_member ON device_requests USING btree (member_id) WHERE member_id IS NOT NULL;
create policy platform on device_requests for all to dari_app using (true);
create policy tenant on device_requests for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table egress_settings (
  organization_id text not null,
  set_by text not null,
  mode text not null,
  hosts text[] not null default '{}'::text[],
  updated_at timestamp with time zone not null default clock_timestamp(),
  constraint egress_settings_pkey PRIMARY KEY (organization_id, set_by),
  constraint egress_settings_mode_check CHECK (mode = ANY (ARRAY['off'::text, 'allow'::text, 'open'::text])),
  constraint egress_settings_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE CASCADE,
  constraint egress_settings_set_by_check CHECK (set_by = ANY (ARRAY['organization'::text, 'operator'::text]))
);
create policy platform on egress_settings for all to dari_app using (true);
create policy tenant on egress_settings for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table events (
  session_id text not null,
  sequence_number bigint not null,
  organization_id text not null,
  type text not null,
  message_id text,
  attempt_id text,
  data jsonb not null default '{}'::jsonb,
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint events_pkey PRIMARY KEY (session_id, sequence_number),
  constraint events_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions(id) ON DELETE CASCADE
);
CREATE INDEX events_attempt_ended ON events USING btree (created_at) WHERE type = 'attempt.ended'::text;
create policy platform on events for all to dari_app using (true);
create policy tenant on events for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table files (
  id text not null,
  organization_id text not null,
  session_id text,
  filename text not null,
  content_type text not null,
  size_bytes bigint not null,
  sha256 text not null,
  object_key text not null,
  created_at timestamp with time zone not null default clock_timestamp(),
  deleted_at timestamp with time zone,
  constraint files_pkey PRIMARY KEY (id),
  constraint files_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE CASCADE
);
CREATE INDEX files_by_object ON files USING btree (object_key);
CREATE INDEX files_by_organization ON files USING btree (organization_id, id) WHERE deleted_at IS NULL;
CREATE INDEX files_deleted ON files USING btree (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE TRIGGER count_changed AFTER UPDATE OF deleted_at ON files FOR EACH ROW WHEN (old.deleted_at IS DISTINCT FROM new.deleted_at) EXECUTE FUNCTION count_file();
CREATE TRIGGER count_gone AFTER DELETE ON files FOR EACH ROW WHEN (old.deleted_at IS NULL) EXECUTE FUNCTION count_file();
CREATE TRIGGER count_made AFTER INSERT ON files FOR EACH ROW WHEN (new.deleted_at IS NULL) EXECUTE FUNCTION count_file();
create policy platform on files for all to dari_app using (true);
create policy tenant on files for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table idempotency_keys (
  organization_id text not null,
  method text not null,
  path text not null,
  key text not null,
  fingerprint text not null,
  resource_id text,
  status integer,
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint idempotency_keys_pkey PRIMARY KEY (organization_id, method, path, key),
  constraint idempotency_keys_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE CASCADE
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys USING btree (created_at);
create policy platform on idempotency_keys for all to dari_app using (true);
create policy tenant on idempotency_keys for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table invitations (
  id text not null,
  organization_id text not null,
  email text not null,
  role text not null,
  secret_hash bytea,
  let_in_by text[] not null default '{}'::text[],
  expires_at timestamp with time zone not null default (clock_timestamp() + '7 days'::interval),
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint invitations_pkey PRIMARY KEY (id),
  constraint invitations_organization_id_email_key UNIQUE (organization_id, email),
  constraint invitations_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE CASCADE,
  constraint invitations_role_check CHECK (role = ANY (ARRAY['owner'::text, 'admin'::text, 'member'::text])),
  constraint invitations_secret_hash_key UNIQUE (secret_hash)
);
CREATE INDEX invitations_by_expiry ON invitations USING btree (expires_at);
CREATE INDEX invitations_by_let_in ON invitations USING gin (let_in_by);
create policy platform on invitations for all to dari_app using (true);
create policy tenant on invitations for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table kept_counts (
  organization_id text not null,
  kind text not null,
  kept bigint not null,
  checked_at timestamp with time zone not null default clock_timestamp(),
  constraint kept_counts_pkey PRIMARY KEY (organization_id, kind),
  constraint kept_counts_kind_check CHECK (kind = ANY (ARRAY['sessions'::text, 'storage_bytes'::text])),
  constraint kept_counts_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE CASCADE
);
create policy platform on kept_counts for all to dari_app using (true);
create policy tenant on kept_counts for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table key_sign_in_links (
  api_key_id text not null,
  organization_id text not null,
  secret_hash bytea not null,
  expires_at timestamp with time zone not null,
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint key_sign_in_links_pkey PRIMARY KEY (api_key_id),
  constraint key_sign_in_links_api_key_id_fkey FOREIGN KEY (api_key_id) REFERENCES api_keys(id) ON DELETE CASCADE,
  constraint key_sign_in_links_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE CASCADE,
  constraint key_sign_in_links_secret_hash_key UNIQUE (secret_hash)
);
CREATE INDEX key_sign_in_links_by_expiry ON key_sign_in_links USING btree (expires_at);
create policy platform on key_sign_in_links for all to dari_app using (true);
create policy tenant on key_sign_in_links for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table leaders (
  name text not null,
  holder text not null,
  seen_at timestamp with time zone not null default clock_timestamp(),
  constraint leaders_pkey PRIMARY KEY (name)
);

create table members (
  id text not null,
  organization_id text not null,
  email text not null,
  role text not null,
  issuer text,
  subject text,
  last_signed_in_at timestamp with time zone,
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint members_pkey PRIMARY KEY (id),
  constraint members_check CHECK ((issuer IS NULL) = (subject IS NULL)),
  constraint members_organization_id_email_key UNIQUE (organization_id, email),
  constraint members_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE CASCADE,
  constraint members_role_check CHECK (role = ANY (ARRAY['owner'::text, 'admin'::text, 'member'::text]))
);
CREATE INDEX members_by_email ON members USING btree (email);
CREATE INDEX members_by_subject ON members USING btree (issuer, subject) WHERE subject IS NOT NULL;
CREATE TRIGGER end_what_was_let_in AFTER DELETE ON members FOR EACH ROW EXECUTE FUNCTION end_what_was_let_in();
CREATE TRIGGER end_what_was_let_in_before AFTER UPDATE OF role ON members FOR EACH ROW WHEN (old.role <> new.role AND (old.role = 'owner'::text OR new.role = 'member'::text)) EXECUTE FUNCTION end_what_was_let_in();
create policy platform on members for all to dari_app using (true);
create policy tenant on members for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table message_inputs (
  message_id text not null,
  key text not null,
  organization_id text not null,
  session_id text not null,
  number integer not null,
  state text not null default 'waiting'::text,
  schema jsonb not null,
  prompt text,
  value jsonb,
  budget jsonb,
  requested_at timestamp with time zone not null default clock_timestamp(),
  expires_at timestamp with time zone not null,
  ended_at timestamp with time zone,
  constraint message_inputs_pkey PRIMARY KEY (message_id, key),
  constraint message_inputs_check CHECK ((state = 'waiting'::text) = (ended_at IS NULL)),
  constraint message_inputs_check1 CHECK ((state = 'answered'::text) = (value IS NOT NULL)),
  constraint message_inputs_number_check CHECK (number > 0),
  constraint message_inputs_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions(id) ON DELETE CASCADE,
  constraint message_inputs_state_check CHECK (state = ANY (ARRAY['waiting'::text, 'answered'::text, 'expired'::text, 'cancelled'::text]))
);
CREATE INDEX message_inputs_by_session ON message_inputs USING btree (session_id);
CREATE INDEX message_inputs_expiring ON message_inputs USING btree (expires_at) WHERE state = 'waiting'::text;
CREATE UNIQUE INDEX message_inputs_waiting ON message_inputs USING btree (session_id) WHERE state = 'waiting'::text;
CREATE INDEX message_inputs_waiting_by_organization ON message_inputs USING btree (organization_id, requested_at) WHERE state = 'waiting'::text;
create policy platform on message_inputs for all to dari_app using (true);
create policy tenant on message_inputs for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table message_steps (
  session_id text not null,
  message_id text not null,
  name text not null,
  ordinal bigint not null,
  organization_id text not null,
  result text not null,
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint message_steps_pkey PRIMARY KEY (session_id, message_id, name, ordinal),
  constraint message_steps_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions(id) ON DELETE CASCADE
);
create policy platform on message_steps for all to dari_app using (true);
create policy tenant on message_steps for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table message_values (
  session_id text not null,
  id text not null,
  organization_id text not null,
  message_id text not null,
  object_key text not null,
  media_type text not null,
  size_bytes bigint not null,
  sha256 text not null,
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint message_values_pkey PRIMARY KEY (session_id, id),
  constraint message_values_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions(id) ON DELETE CASCADE,
  constraint message_values_size_bytes_check CHECK (size_bytes >= 0)
);
CREATE INDEX message_values_object ON message_values USING btree (object_key);
CREATE TRIGGER count_made AFTER INSERT ON message_values FOR EACH ROW EXECUTE FUNCTION count_value();
CREATE TRIGGER keep_value BEFORE INSERT ON message_values FOR EACH ROW EXECUTE FUNCTION keep_value();
create policy platform on message_values for all to dari_app using (true);
create policy tenant on message_values for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table messages (
  id text not null,
  organization_id text not null,
  session_id text not null,
  sequence_number integer not null,
  state text not null default 'queued'::text,
  parts jsonb not null,
  metadata jsonb not null default '{}'::jsonb,
  output jsonb,
  files_changed jsonb not null default '[]'::jsonb,
  timings jsonb not null default '{}'::jsonb,
  is_background boolean not null default false,
  conversation_digest bytea,
  attempts integer not null default 0,
  uncounted_claims integer not null default 0,
  max_attempts integer not null,
  fence bigint,
  snapshot_id text,
  cancel_requested_at timestamp with time zone,
  retry_of text,
  merged_into text,
  interrupted_by text,
  rolled_back_by text,
  rolled_back_at timestamp with time zone,
  resume_snapshot_id text,
  resume_inputs jsonb,
  is_steering boolean not null default false,
  steered_into text,
  steered_attempt text,
  steered_event bigint,
  has_steps boolean not null default false,
  has_recorded_answers boolean not null default false,
  limits jsonb,
  raised_limits jsonb,
  replay_of text,
  replay_asks_models boolean,
  copied_from text,
  head_snapshot_id text,
  lacks_workspace boolean not null default false,
  created_at timestamp with time zone not null default clock_timestamp(),
  started_at timestamp with time zone,
  completed_at timestamp with time zone,
  failed_at timestamp with time zone,
  constraint messages_pkey PRIMARY KEY (id),
  constraint messages_check CHECK (attempts <= max_attempts),
  constraint messages_check1 CHECK ((state = 'running'::text) = (fence IS NOT NULL)),
  constraint messages_check2 CHECK ((state = ANY (ARRAY['completed'::text, 'failed'::text, 'cancelled'::text])) = (completed_at IS NOT NULL)),
  constraint messages_check3 CHECK (state <> 'completed'::text OR (snapshot_id IS NULL) = (merged_into IS NOT NULL)),
  constraint messages_check4 CHECK (merged_into IS NULL OR state = 'completed'::text AND output IS NULL AND attempts = 0),
  constraint messages_check5 CHECK (copied_from IS NULL OR completed_at IS NOT NULL),
  constraint messages_check6 CHECK (NOT lacks_workspace OR copied_from IS NOT NULL AND head_snapshot_id IS NULL),
  constraint messages_max_attempts_check CHECK (max_attempts > 0),
  constraint messages_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions(id) ON DELETE CASCADE,
  constraint messages_session_id_sequence_number_key UNIQUE (session_id, sequence_number),
  constraint messages_state_check CHECK (state = ANY (ARRAY['queued'::text, 'running'::text, 'waiting_for_input'::text, 'completed'::text, 'failed'::text, 'cancelled'::text]))
);
CREATE INDEX messages_by_conversation_digest ON messages USING btree (organization_id, conversation_digest, created_at DESC) WHERE conversation_digest IS NOT NULL;
CREATE INDEX messages_by_organization ON messages USING btree (organization_id, id);
CREATE INDEX messages_by_retry_of ON messages USING btree (retry_of) WHERE retry_of IS NOT NULL;
CREATE INDEX messages_copied_head ON messages USING btree (head_snapshot_id) WHERE copied_from IS NOT NULL;
CREATE INDEX messages_copied_snapshot ON messages USING btree (snapshot_id) WHERE copied_from IS NOT NULL;
CREATE INDEX messages_failed_at ON messages USING btree (failed_at, id) WHERE failed_at IS NOT NULL;
CREATE INDEX messages_failed_at_by_organization ON messages USING btree (organization_id, failed_at, id) WHERE failed_at IS NOT NULL;
CREATE INDEX messages_open ON messages USING btree (session_id, sequence_number) WHERE completed_at IS NULL;
CREATE INDEX messages_open_by_organization ON messages USING btree (organization_id) WHERE COALESCE(completed_at, 'infinity'::timestamp with time zone) = 'infinity'::timestamp with time zone;
CREATE INDEX messages_steered ON messages USING btree (session_id, steered_into) WHERE steered_event IS NOT NULL;
CREATE TRIGGER delete_recorded_answers AFTER UPDATE OF completed_at ON messages FOR EACH ROW WHEN (new.has_recorded_answers AND old.completed_at IS NULL AND new.completed_at IS NOT NULL) EXECUTE FUNCTION delete_recorded_answers();
CREATE TRIGGER delete_steps AFTER UPDATE OF completed_at ON messages FOR EACH ROW WHEN (new.has_steps AND old.completed_at IS NULL AND new.completed_at IS NOT NULL) EXECUTE FUNCTION delete_steps();
CREATE TRIGGER refuse_undeclared_edge BEFORE UPDATE OF state ON messages FOR EACH ROW WHEN (old.state <> new.state AND current_setting('dari.unguarded'::text, true) IS DISTINCT FROM 'on'::text AND (old.state <> 'queued'::text OR new.state <> 'running'::text) AND (old.state <> 'running'::text OR new.state <> 'completed'::text) AND (old.state <> 'queued'::text OR new.state <> 'completed'::text) AND (old.state <> 'running'::text OR new.state <> 'queued'::text) AND (old.state <> 'running'::text OR new.state <> 'queued'::text) AND (old.state <> 'running'::text OR new.state <> 'waiting_for_input'::text) AND (old.state <> 'waiting_for_input'::text OR new.state <> 'queued'::text) AND (old.state <> 'running'::text OR new.state <> 'failed'::text) AND (old.state <> 'queued'::text OR new.state <> 'failed'::text) AND (old.state <> 'waiting_for_input'::text OR new.state <> 'failed'::text) AND (old.state <> 'waiting_for_input'::text OR new.state <> 'failed'::text) AND (old.state <> 'running'::text OR new.state <> 'cancelled'::text) AND (old.state <> 'queued'::text OR new.state <> 'cancelled'::text) AND (old.state <> 'waiting_for_input'::text OR new.state <> 'cancelled'::text)) EXECUTE FUNCTION refuse_undeclared_edge('state');
create policy platform on messages for all to dari_app using (true);
create policy tenant on messages for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table model_prices (
  valid_from date not null,
  host text not null,
  model text not null,
  input_price bigint not null,
  cached_input_price bigint,
  cache_write_price bigint,
  output_price bigint not null,
  constraint model_prices_pkey PRIMARY KEY (valid_from, host, model),
  constraint model_prices_cache_write_price_check CHECK (cache_write_price >= 0),
  constraint model_prices_cached_input_price_check CHECK (cached_input_price >= 0),
  constraint model_prices_input_price_check CHECK (input_price >= 0),
  constraint model_prices_output_price_check CHECK (output_price >= 0)
);

create table model_requests (
  message_id text not null,
  fence bigint not null,
  ordinal integer not null,
  organization_id text not null,
  session_id text not null,
  attempt_id text not null,
  requests integer not null,
  host text,
  format text,
  model text,
  status integer,
  input_tokens bigint,
  cached_input_tokens bigint,
  cache_write_tokens bigint,
  output_tokens bigint,
  reasoning_tokens bigint,
  cost_microusd bigint,
  reserved_tokens bigint,
  reserved_cost_microusd bigint,
  finish_reason text,
  duration_ms bigint not null,
  is_complete boolean not null,
  unread text,
  is_recorded boolean not null default false,
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint model_requests_pkey PRIMARY KEY (message_id, fence, ordinal),
  constraint model_requests_format_check CHECK (format = ANY (ARRAY['openai-responses'::text, 'openai-chat'::text, 'anthropic-messages'::text, 'gemini'::text])),
  constraint model_requests_message_id_fkey FOREIGN KEY (message_id) REFERENCES messages(id) ON DELETE CASCADE,
  constraint model_requests_ordinal_check CHECK (ordinal > 0),
  constraint model_requests_requests_check CHECK (requests > 0),
  constraint model_requests_reserved_tokens_check CHECK (reserved_tokens >= 0),
  constraint model_requests_unread_check CHECK (unread = ANY (ARRAY['encoding'::text, 'too_large'::text, 'too_fast'::text, 'too_many'::text, 'malformed'::text]))
);
create policy platform on model_requests for all to dari_app using (true);
create policy tenant on model_requests for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table object_references (
  object_key text not null,
  referenced_key text not null,
  organization_id text not null,
  stored_bytes bigint not null,
  constraint object_references_pkey PRIMARY KEY (object_key, referenced_key),
  constraint object_references_object_key_fkey FOREIGN KEY (object_key) REFERENCES snapshot_objects(object_key) ON DELETE CASCADE
);
CREATE INDEX object_references_by_referenced ON object_references USING btree (referenced_key);
create policy platform on object_references for all to dari_app using (true);
create policy tenant on object_references for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table organizations (
  id text not null,
  name text not null,
  slug text not null,
  is_operator boolean not null default false,
  weight integer not null default 1,
  max_concurrency integer,
  max_backlog integer,
  max_workspace_bytes bigint,
  max_workspace_files integer,
  max_workspace_file_bytes bigint,
  session_retention_days integer,
  max_requests_per_minute integer,
  max_messages_per_minute integer,
  max_upload_bytes_per_hour bigint,
  max_storage_bytes bigint,
  max_files integer,
  max_agents integer,
  max_sessions integer,
  max_api_keys integer,
  max_turn_memory_bytes bigint,
  max_turn_cpus double precision,
  created_at timestamp with time zone not null default clock_timestamp(),
  deleted_at timestamp with time zone,
  constraint organizations_pkey PRIMARY KEY (id),
  constraint organizations_max_agents_check CHECK (max_agents > 0),
  constraint organizations_max_api_keys_check CHECK (max_api_keys > 0),
  constraint organizations_max_backlog_check CHECK (max_backlog > 0),
  constraint organizations_max_concurrency_check CHECK (max_concurrency > 0),
  constraint organizations_max_files_check CHECK (max_files > 0),
  constraint organizations_max_messages_per_minute_check CHECK (max_messages_per_minute > 0),
  constraint organizations_max_requests_per_minute_check CHECK (max_requests_per_minute > 0),
  constraint organizations_max_sessions_check CHECK (max_sessions > 0),
  constraint organizations_max_storage_bytes_check CHECK (max_storage_bytes > 0),
  constraint organizations_max_turn_cpus_check CHECK (max_turn_cpus > 0::double precision),
  constraint organizations_max_turn_memory_bytes_check CHECK (max_turn_memory_bytes > 0),
  constraint organizations_max_upload_bytes_per_hour_check CHECK (max_upload_bytes_per_hour > 0),
  constraint organizations_max_workspace_bytes_check CHECK (max_workspace_bytes > 0),
  constraint organizations_max_workspace_file_bytes_check CHECK (max_workspace_file_bytes > 0),
  constraint organizations_max_workspace_files_check CHECK (max_workspace_files > 0),
  constraint organizations_session_retention_days_check CHECK (session_retention_days > 0),
  constraint organizations_slug_key UNIQUE (slug),
  constraint organizations_weight_check CHECK (weight > 0)
);
CREATE INDEX organizations_deleted ON organizations USING btree (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX organizations_with_retention ON organizations USING btree (id) WHERE session_retention_days IS NOT NULL;
create policy platform on organizations for all to dari_app using (true);
create policy tenant on organizations for all to dari_tenant using ((id = current_setting('dari.organization_id'::text, true)));

create table platform_stops (
  only_one boolean not null default true,
  reason text not null,
  stopped_at timestamp with time zone not null default clock_timestamp(),
  constraint platform_stops_pkey PRIMARY KEY (only_one),
  constraint platform_stops_only_one_check CHECK (only_one)
);

create table purged_sessions (
  session_id text not null,
  organization_id text not null,
  looked_at timestamp with time zone not null default clock_timestamp(),
  constraint purged_sessions_pkey PRIMARY KEY (session_id)
);
CREATE INDEX purged_sessions_by_look ON purged_sessions USING btree (looked_at);
create policy platform on purged_sessions for all to dari_app using (true);
create policy tenant on purged_sessions for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table rate_windows (
  organization_id text not null,
  key_id text not null,
  kind text not null,
  started_at timestamp with time zone not null,
  used bigint not null,
  last_granted bigint not null,
  constraint rate_windows_pkey PRIMARY KEY (organization_id, key_id, kind),
  constraint rate_windows_kind_check CHECK (kind = ANY (ARRAY['requests'::text, 'messages'::text, 'upload_bytes'::text]))
);
CREATE INDEX rate_windows_by_start ON rate_windows USING btree (started_at);
create policy platform on rate_windows for all to dari_app using (true);
create policy tenant on rate_windows for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table recorded_answers (
  session_id text not null,
  message_id text not null,
  digest text not null,
  ordinal integer not null,
  organization_id text not null,
  fence bigint not null,
  object_key text not null,
  size_bytes bigint not null,
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint recorded_answers_pkey PRIMARY KEY (session_id, message_id, digest, ordinal),
  constraint recorded_answers_ordinal_check CHECK (ordinal > 0),
  constraint recorded_answers_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions(id) ON DELETE CASCADE,
  constraint recorded_answers_size_bytes_check CHECK (size_bytes >= 0)
);
CREATE INDEX recorded_answers_object ON recorded_answers USING btree (object_key);
create policy platform on recorded_answers for all to dari_app using (true);
create policy tenant on recorded_answers for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table recordings (
  session_id text not null,
  message_id text not null,
  organization_id text not null,
  agent_id text not null,
  answers integer not null,
  size_bytes bigint not null,
  created_at timestamp with time zone not null default clock_timestamp(),
  expires_at timestamp with time zone not null,
  constraint recordings_pkey PRIMARY KEY (session_id, message_id),
  constraint recordings_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions(id) ON DELETE CASCADE,
  constraint recordings_size_bytes_check CHECK (size_bytes >= 0)
);
CREATE INDEX recordings_by_agent ON recordings USING btree (agent_id, message_id);
CREATE INDEX recordings_by_expiry ON recordings USING btree (expires_at);
CREATE TRIGGER count_kept AFTER INSERT OR DELETE ON recordings FOR EACH ROW EXECUTE FUNCTION count_recording();
CREATE TRIGGER delete_recording AFTER DELETE ON recordings FOR EACH ROW EXECUTE FUNCTION delete_recording();
create policy platform on recordings for all to dari_app using (true);
create policy tenant on recordings for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table schedule_firings (
  id text not null,
  organization_id text not null,
  schedule_id text not null,
  due_at timestamp with time zone not null,
  outcome text not null,
  session_id text,
  message_id text,
  reason_code text,
  reason text,
  missed_count integer,
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint schedule_firings_pkey PRIMARY KEY (id),
  constraint schedule_firings_check CHECK ((outcome = 'fired'::text) = (message_id IS NOT NULL)),
  constraint schedule_firings_check1 CHECK ((outcome = 'fired'::text) = (session_id IS NOT NULL)),
  constraint schedule_firings_check2 CHECK ((outcome = 'fired'::text) = (reason IS NULL)),
  constraint schedule_firings_check3 CHECK ((reason IS NULL) = (reason_code IS NULL)),
  constraint schedule_firings_check4 CHECK ((outcome = 'missed'::text) = (missed_count IS NOT NULL)),
  constraint schedule_firings_missed_count_check CHECK (missed_count > 0),
  constraint schedule_firings_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE CASCADE,
  constraint schedule_firings_outcome_check CHECK (outcome = ANY (ARRAY['fired'::text, 'skipped'::text, 'missed'::text, 'failed'::text])),
  constraint schedule_firings_schedule_id_due_at_key UNIQUE (schedule_id, due_at),
  constraint schedule_firings_schedule_id_fkey FOREIGN KEY (schedule_id) REFERENCES schedules(id) ON DELETE CASCADE
);
CREATE INDEX schedule_firings_by_age ON schedule_firings USING btree (created_at);
CREATE INDEX schedule_firings_by_organization ON schedule_firings USING btree (organization_id);
create policy platform on schedule_firings for all to dari_app using (true);
create policy tenant on schedule_firings for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table schedules (
  id text not null,
  organization_id text not null,
  agent_id text not null,
  session_id text,
  name text,
  cron text not null,
  time_zone text not null,
  parts jsonb not null,
  metadata jsonb not null default '{}'::jsonb,
  is_background boolean not null default true,
  overlap text not null default 'skip'::text,
  status text not null default 'active'::text,
  paused_reason text,
  next_due_at timestamp with time zone,
  last_fired_at timestamp with time zone,
  last_message_id text,
  changed_by_key_id text,
  created_at timestamp with time zone not null default clock_timestamp(),
  updated_at timestamp with time zone not null default clock_timestamp(),
  constraint schedules_pkey PRIMARY KEY (id),
  constraint schedules_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agents(id) ON DELETE CASCADE,
  constraint schedules_check CHECK ((status = 'paused'::text) = (paused_reason IS NOT NULL)),
  constraint schedules_check1 CHECK ((status = 'active'::text) = (next_due_at IS NOT NULL)),
  constraint schedules_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE CASCADE,
  constraint schedules_overlap_check CHECK (overlap = ANY (ARRAY['skip'::text, 'allow'::text, 'replace'::text])),
  constraint schedules_paused_reason_check CHECK (paused_reason = ANY (ARRAY['manual'::text, 'agent_deleted'::text, 'session_ended'::text, 'unknown_times'::text])),
  constraint schedules_status_check CHECK (status = ANY (ARRAY['active'::text, 'paused'::text]))
);
CREATE INDEX schedules_by_agent ON schedules USING btree (agent_id);
CREATE INDEX schedules_by_organization ON schedules USING btree (organization_id, id);
CREATE INDEX schedules_due ON schedules USING btree (next_due_at) WHERE status = 'active'::text;
create policy platform on schedules for all to dari_app using (true);
create policy tenant on schedules for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table schema_migrations (
  name character varying(255) not null,
  timestamp character varying(255) not null,
  constraint schema_migrations_pkey PRIMARY KEY (name)
);

create table schema_migrations_lock (
  id character varying(255) not null,
  is_locked integer not null default 0,
  constraint schema_migrations_lock_pkey PRIMARY KEY (id)
);

create table session_batch_items (
  batch_id text not null,
  number integer not null,
  organization_id text not null,
  session_id text not null,
  message_id text not null,
  constraint session_batch_items_pkey PRIMARY KEY (batch_id, number),
  constraint session_batch_items_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES session_batches(id) ON DELETE CASCADE,
  constraint session_batch_items_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE CASCADE
);
CREATE INDEX session_batch_items_by_session ON session_batch_items USING btree (session_id);
create policy platform on session_batch_items for all to dari_app using (true);
create policy tenant on session_batch_items for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table session_batches (
  id text not null,
  organization_id text not null,
  agent_id text not null,
  name text,
  metadata jsonb not null default '{}'::jsonb,
  is_background boolean not null default true,
  max_concurrency integer,
  total integer not null,
  created_at timestamp with time zone not null default clock_timestamp(),
  cancel_requested_at timestamp with time zone,
  cancelled_at timestamp with time zone,
  constraint session_batches_pkey PRIMARY KEY (id),
  constraint session_batches_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agents(id) ON DELETE CASCADE,
  constraint session_batches_check CHECK (cancelled_at IS NULL OR cancel_requested_at IS NOT NULL),
  constraint session_batches_max_concurrency_check CHECK (max_concurrency > 0),
  constraint session_batches_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE CASCADE,
  constraint session_batches_total_check CHECK (total > 0)
);
CREATE INDEX session_batches_by_age ON session_batches USING btree (created_at);
CREATE INDEX session_batches_by_agent ON session_batches USING btree (agent_id);
CREATE INDEX session_batches_by_organization ON session_batches USING btree (organization_id, id);
CREATE INDEX session_batches_to_cancel ON session_batches USING btree (cancel_requested_at) WHERE cancel_requested_at IS NOT NULL AND cancelled_at IS NULL;
create policy platform on session_batches for all to dari_app using (true);
create policy tenant on session_batches for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table session_inputs (
  session_id text not null,
  organization_id text not null,
  path text not null,
  message_id text not null,
  file_id text not null,
  constraint session_inputs_pkey PRIMARY KEY (session_id, path),
  constraint session_inputs_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions(id) ON DELETE CASCADE
);
CREATE INDEX session_inputs_by_file ON session_inputs USING btree (file_id);
CREATE INDEX session_inputs_by_message ON session_inputs USING btree (message_id);
create policy platform on session_inputs for all to dari_app using (true);
create policy tenant on session_inputs for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table session_secrets (
  session_id text not null,
  organization_id text not null,
  name text not null,
  sealed bytea not null,
  constraint session_secrets_pkey PRIMARY KEY (session_id, name),
  constraint session_secrets_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE CASCADE,
  constraint session_secrets_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions(id) ON DELETE CASCADE
);
create policy platform on session_secrets for all to dari_app using (true);
create policy tenant on session_secrets for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table sessions (
  id text not null,
  organization_id text not null,
  agent_id text not null,
  version_id text not null,
  name text,
  metadata jsonb not null default '{}'::jsonb,
  created_by text,
  state text not null default 'open'::text,
  on_busy text not null default 'enqueue'::text,
  internet_access boolean,
  token_generation integer not null default 0,
  is_unstored boolean not null default false,
  schedule text not null default 'idle'::text,
  blocked_reason text,
  ready_at timestamp with time zone,
  is_background boolean not null default false,
  batch_id text,
  limit_group integer not null default 0,
  dispatch_number bigint not null default 0,
  fence bigint not null default 0,
  claim_token uuid,
  worker_id text,
  lease_until timestamp with time zone,
  lease_limit timestamp with time zone,
  next_sequence_number integer not null default 1,
  pending integer not null default 0,
  next_event_number bigint not null default 1,
  last_message_id text,
  head_snapshot_id text,
  base_snapshot_id text,
  forked_from_session_id text,
  forked_from_message_id text,
  created_at timestamp with time zone not null default clock_timestamp(),
  ended_at timestamp with time zone,
  deleted_at timestamp with time zone,
  constraint sessions_pkey PRIMARY KEY (id),
  constraint sessions_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agents(id),
  constraint sessions_blocked_reason_check CHECK (blocked_reason = ANY (ARRAY['build'::text, 'budget'::text, 'paused'::text, 'input'::text])),
  constraint sessions_check CHECK ((schedule = 'idle'::text) = (pending = 0)),
  constraint sessions_check1 CHECK ((schedule = 'blocked'::text) = (blocked_reason IS NOT NULL)),
  constraint sessions_check2 CHECK ((schedule = 'leased'::text) = (claim_token IS NOT NULL)),
  constraint sessions_check3 CHECK ((schedule = ANY (ARRAY['dispatched'::text, 'leased'::text])) = (lease_until IS NOT NULL)),
  constraint sessions_check4 CHECK ((schedule = ANY (ARRAY['ready'::text, 'retry_wait'::text])) = (ready_at IS NOT NULL)),
  constraint sessions_check5 CHECK ((state = 'open'::text) = (ended_at IS NULL)),
  constraint sessions_on_busy_check CHECK (on_busy = ANY (ARRAY['enqueue'::text, 'reject'::text, 'interrupt'::text, 'rollback'::text, 'merge'::text, 'steer'::text])),
  constraint sessions_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE CASCADE,
  constraint sessions_pending_check CHECK (pending >= 0),
  constraint sessions_schedule_check CHECK (schedule = ANY (ARRAY['idle'::text, 'ready'::text, 'dispatched'::text, 'leased'::text, 'retry_wait'::text, 'blocked'::text])),
  constraint sessions_state_check CHECK (state = ANY (ARRAY['open'::text, 'completed'::text, 'expired'::text, 'failed'::text])),
  constraint sessions_version_id_fkey FOREIGN KEY (version_id) REFERENCES versions(id)
);
CREATE INDEX sessions_blocked ON sessions USING btree (version_id) WHERE schedule = 'blocked'::text;
CREATE INDEX sessions_by_agent ON sessions USING btree (agent_id, id);
CREATE INDEX sessions_by_base ON sessions USING btree (base_snapshot_id) WHERE base_snapshot_id IS NOT NULL;
CREATE INDEX sessions_by_name ON sessions USING btree (organization_id, name, id) WHERE name IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX sessions_by_organization ON sessions USING btree (organization_id, id) WHERE deleted_at IS NULL;
CREATE INDEX sessions_deleted ON sessions USING btree (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX sessions_held ON sessions USING btree (organization_id, agent_id, id) WHERE blocked_reason = ANY (ARRAY['budget'::text, 'paused'::text]);
CREATE INDEX sessions_in_flight ON sessions USING btree (lease_until) INCLUDE (organization_id) WHERE schedule = ANY (ARRAY['dispatched'::text, 'leased'::text]);
CREATE INDEX sessions_ready ON sessions USING btree (organization_id, is_background, limit_group, ready_at) WHERE schedule = 'ready'::text;
CREATE INDEX sessions_retry_wait ON sessions USING btree (ready_at) WHERE schedule = 'retry_wait'::text;
CREATE INDEX sessions_unstored ON sessions USING btree (created_at) WHERE is_unstored AND deleted_at IS NULL;
CREATE INDEX sessions_version ON sessions USING btree (version_id);
CREATE TRIGGER count_changed AFTER UPDATE OF deleted_at, head_snapshot_id ON sessions FOR EACH ROW WHEN (old.deleted_at IS DISTINCT FROM new.deleted_at OR new.deleted_at IS NULL AND old.head_snapshot_id IS DISTINCT FROM new.head_snapshot_id) EXECUTE FUNCTION count_session();
CREATE TRIGGER count_gone AFTER DELETE ON sessions FOR EACH ROW WHEN (old.deleted_at IS NULL) EXECUTE FUNCTION count_session();
CREATE TRIGGER count_made AFTER INSERT ON sessions REFERENCING NEW TABLE AS made FOR EACH STATEMENT EXECUTE FUNCTION count_sessions_made();
CREATE TRIGGER refuse_undeclared_edge BEFORE UPDATE OF schedule ON sessions FOR EACH ROW WHEN (old.schedule <> new.schedule AND current_setting('dari.unguarded'::text, true) IS DISTINCT FROM 'on'::text AND (old.schedule <> 'idle'::text OR new.schedule <> 'ready'::text) AND (old.schedule <> 'idle'::text OR new.schedule <> 'dispatched'::text) AND (old.schedule <> 'idle'::text OR new.schedule <> 'blocked'::text) AND (old.schedule <> 'ready'::text OR new.schedule <> 'blocked'::text) AND (old.schedule <> 'dispatched'::text OR new.schedule <> 'blocked'::text) AND (old.schedule <> 'leased'::text OR new.schedule <> 'blocked'::text) AND (old.schedule <> 'blocked'::text OR new.schedule <> 'ready'::text) AND (old.schedule <> 'blocked'::text OR new.schedule <> 'dispatched'::text) AND (old.schedule <> 'ready'::text OR new.schedule <> 'dispatched'::text) AND (old.schedule <> 'dispatched'::text OR new.schedule <> 'ready'::text) AND (old.schedule <> 'retry_wait'::text OR new.schedule <> 'ready'::text) AND (old.schedule <> 'dispatched'::text OR new.schedule <> 'leased'::text) AND (old.schedule <> 'retry_wait'::text OR new.schedule <> 'leased'::text) AND (old.schedule <> 'leased'::text OR new.schedule <> 'retry_wait'::text) AND (old.schedule <> 'leased'::text OR new.schedule <> 'ready'::text) AND (old.schedule <> 'leased'::text OR new.schedule <> 'idle'::text) AND (old.schedule <> 'ready'::text OR new.schedule <> 'idle'::text) AND (old.schedule <> 'dispatched'::text OR new.schedule <> 'idle'::text) AND (old.schedule <> 'retry_wait'::text OR new.schedule <> 'idle'::text) AND (old.schedule <> 'blocked'::text OR new.schedule <> 'idle'::text)) EXECUTE FUNCTION refuse_undeclared_edge('schedule');
CREATE TRIGGER sessions_note_events AFTER UPDATE OF next_event_number ON sessions FOR EACH ROW WHEN (new.next_event_number > old.next_event_number) EXECUTE FUNCTION note_webhook_events();
CREATE TRIGGER sessions_note_first_events AFTER INSERT ON sessions FOR EACH ROW WHEN (new.next_event_number > 1) EXECUTE FUNCTION note_webhook_events();
create policy platform on sessions for all to dari_app using (true);
create policy tenant on sessions for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table sign_in_links (
  member_id text not null,
  organization_id text not null,
  secret_hash bytea not null,
  let_in_by text[] not null default '{}'::text[],
  expires_at timestamp with time zone not null,
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint sign_in_links_pkey PRIMARY KEY (member_id),
  constraint sign_in_links_member_id_fkey FOREIGN KEY (member_id) REFERENCES members(id) ON DELETE CASCADE,
  constraint sign_in_links_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE CASCADE,
  constraint sign_in_links_secret_hash_key UNIQUE (secret_hash)
);
CREATE INDEX sign_in_links_by_expiry ON sign_in_links USING btree (expires_at);
CREATE INDEX sign_in_links_by_let_in ON sign_in_links USING gin (let_in_by);
create policy platform on sign_in_links for all to dari_app using (true);
create policy tenant on sign_in_links for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table sign_in_tries (
  kind text not null,
  subject text not null,
  started_at timestamp with time zone not null,
  used integer not null,
  constraint sign_in_tries_pkey PRIMARY KEY (kind, subject)
);
CREATE INDEX sign_in_tries_by_start ON sign_in_tries USING btree (started_at);

create table sign_ins (
  id text not null,
  organization_id text not null,
  member_id text,
  api_key_id text,
  secret_hash bytea not null,
  method text not null,
  manages_owners boolean not null,
  let_in_by text[] not null default '{}'::text[],
  expires_at timestamp with time zone not null,
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint sign_ins_pkey PRIMARY KEY (id),
  constraint sign_ins_api_key_id_fkey FOREIGN KEY (api_key_id) REFERENCES api_keys(id) ON DELETE CASCADE,
  constraint sign_ins_member_id_fkey FOREIGN KEY (member_id) REFERENCES members(id) ON DELETE CASCADE,
  constraint sign_ins_method_check CHECK (method = ANY (ARRAY['link'::text, 'oidc'::text, 'key'::text])),
  constraint sign_ins_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE CASCADE,
  constraint sign_ins_owner_check CHECK (num_nonnulls(member_id, api_key_id) = 1),
  constraint sign_ins_secret_hash_key UNIQUE (secret_hash)
);
CREATE INDEX sign_ins_by_expiry ON sign_ins USING btree (expires_at);
CREATE INDEX sign_ins_by_key ON sign_ins USING btree (api_key_id, created_at) WHERE api_key_id IS NOT NULL;
CREATE INDEX sign_ins_by_let_in ON sign_ins USING gin (let_in_by);
CREATE INDEX sign_ins_by_member ON sign_ins USING btree (member_id);
create policy platform on sign_ins for all to dari_app using (true);
create policy tenant on sign_ins for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table snapshot_objects (
  object_key text not null,
  organization_id text not null,
  size_bytes bigint not null,
  constraint snapshot_objects_pkey PRIMARY KEY (object_key)
);
create policy platform on snapshot_objects for all to dari_app using (true);
create policy tenant on snapshot_objects for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table snapshots (
  id text not null,
  organization_id text not null,
  session_id text not null,
  parent_id text,
  message_id text,
  fence bigint,
  kind text not null,
  object_key text,
  is_full boolean not null default false,
  delta_depth integer not null default 0,
  tree_hash text not null,
  size_bytes bigint not null default 0,
  files integer not null,
  total_bytes bigint not null,
  created_at timestamp with time zone not null default clock_timestamp(),
  rolled_back_at timestamp with time zone,
  constraint snapshots_pkey PRIMARY KEY (id),
  constraint snapshots_kind_check CHECK (kind = ANY (ARRAY['turn'::text, 'side'::text, 'write'::text]))
);
CREATE INDEX snapshots_by_object ON snapshots USING btree (object_key) WHERE object_key IS NOT NULL;
CREATE INDEX snapshots_by_parent ON snapshots USING btree (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX snapshots_by_session ON snapshots USING btree (session_id, id);
CREATE UNIQUE INDEX snapshots_no_fork ON snapshots USING btree (session_id, parent_id) NULLS NOT DISTINCT WHERE kind = 'turn'::text AND rolled_back_at IS NULL;
CREATE INDEX snapshots_to_squash ON snapshots USING btree (id) WHERE delta_depth > 0 AND (delta_depth % 16) = 0 AND NOT is_full;
CREATE TRIGGER keep_object BEFORE INSERT OR UPDATE OF object_key ON snapshots FOR EACH ROW EXECUTE FUNCTION keep_object();
create policy platform on snapshots for all to dari_app using (true);
create policy tenant on snapshots for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table source_snapshots (
  id text not null,
  organization_id text not null,
  sha256 text not null,
  size_bytes bigint not null,
  metadata jsonb not null default '{}'::jsonb,
  state text not null default 'pending_upload'::text,
  failure_reason text,
  manifest_text text,
  object_key text not null,
  upload_expires_at timestamp with time zone not null,
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint source_snapshots_pkey PRIMARY KEY (id),
  constraint source_snapshots_check CHECK ((state = 'failed'::text) = (failure_reason IS NOT NULL)),
  constraint source_snapshots_check1 CHECK ((state = 'ready'::text) = (manifest_text IS NOT NULL)),
  constraint source_snapshots_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE CASCADE,
  constraint source_snapshots_state_check CHECK (state = ANY (ARRAY['pending_upload'::text, 'ready'::text, 'failed'::text]))
);
CREATE INDEX source_snapshots_by_age ON source_snapshots USING btree (created_at);
CREATE INDEX source_snapshots_by_object ON source_snapshots USING btree (object_key);
CREATE INDEX source_snapshots_by_organization ON source_snapshots USING btree (organization_id, id);
CREATE TRIGGER count_changed AFTER INSERT OR DELETE ON source_snapshots FOR EACH ROW EXECUTE FUNCTION count_bundle();
create policy platform on source_snapshots for all to dari_app using (true);
create policy tenant on source_snapshots for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table sweeps (
  name text not null,
  cursor text,
  started_at timestamp with time zone not null default clock_timestamp(),
  constraint sweeps_pkey PRIMARY KEY (name)
);

create table tombstones (
  object_key text not null,
  organization_id text not null,
  size_bytes bigint not null,
  marked_at timestamp with time zone not null default clock_timestamp(),
  doomed_at timestamp with time zone,
  deleted_at timestamp with time zone,
  constraint tombstones_pkey PRIMARY KEY (object_key),
  constraint tombstones_check CHECK (deleted_at IS NULL OR doomed_at IS NOT NULL)
);
CREATE INDEX tombstones_deleted ON tombstones USING btree (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX tombstones_waiting ON tombstones USING btree (marked_at) WHERE deleted_at IS NULL;
create policy platform on tombstones for all to dari_app using (true);
create policy tenant on tombstones for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table trigger_sessions (
  trigger_id text not null,
  key_digest bytea not null,
  organization_id text not null,
  session_id text not null,
  constraint trigger_sessions_pkey PRIMARY KEY (trigger_id, key_digest),
  constraint trigger_sessions_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE CASCADE,
  constraint trigger_sessions_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions(id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
  constraint trigger_sessions_trigger_id_fkey FOREIGN KEY (trigger_id) REFERENCES triggers(id) ON DELETE CASCADE
);
CREATE INDEX trigger_sessions_by_organization ON trigger_sessions USING btree (organization_id);
CREATE INDEX trigger_sessions_by_session ON trigger_sessions USING btree (session_id);
create policy platform on trigger_sessions for all to dari_app using (true);
create policy tenant on trigger_sessions for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table triggers (
  id text not null,
  organization_id text not null,
  agent_id text not null,
  name text,
  token_hash bytea not null,
  scheme text not null,
  secret bytea,
  old_secret bytea,
  old_secret_expires_at timestamp with time zone,
  text_template text not null,
  session_key text,
  event_id text,
  conditions jsonb not null default '[]'::jsonb,
  missing text not null default 'empty'::text,
  includes_body boolean not null default false,
  is_background boolean not null default false,
  status text not null default 'active'::text,
  changed_by_key_id text,
  created_at timestamp with time zone not null default clock_timestamp(),
  updated_at timestamp with time zone not null default clock_timestamp(),
  constraint triggers_pkey PRIMARY KEY (id),
  constraint triggers_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agents(id) ON DELETE CASCADE,
  constraint triggers_check CHECK ((old_secret IS NULL) = (old_secret_expires_at IS NULL)),
  constraint triggers_check1 CHECK (scheme <> 'none'::text OR secret IS NULL),
  constraint triggers_missing_check CHECK (missing = ANY (ARRAY['empty'::text, 'refuse'::text])),
  constraint triggers_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE CASCADE,
  constraint triggers_scheme_check CHECK (scheme = ANY (ARRAY['none'::text, 'standard-webhooks'::text, 'github'::text, 'slack'::text, 'stripe'::text])),
  constraint triggers_status_check CHECK (status = ANY (ARRAY['active'::text, 'paused'::text])),
  constraint triggers_token_hash_key UNIQUE (token_hash)
);
CREATE INDEX triggers_by_agent ON triggers USING btree (agent_id, id);
CREATE INDEX triggers_by_organization ON triggers USING btree (organization_id, id);
create policy platform on triggers for all to dari_app using (true);
create policy tenant on triggers for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table versions (
  id text not null,
  organization_id text not null,
  agent_id text not null,
  number integer not null,
  source_snapshot_id text not null,
  manifest jsonb not null,
  state text not null default 'building'::text,
  image jsonb,
  failure jsonb,
  warnings jsonb not null default '[]'::jsonb,
  activates_itself boolean not null default true,
  build_fence integer not null default 0,
  build_losses integer not null default 0,
  build_worker_id text,
  build_lease_until timestamp with time zone,
  created_at timestamp with time zone not null default clock_timestamp(),
  finished_at timestamp with time zone,
  constraint versions_pkey PRIMARY KEY (id),
  constraint versions_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agents(id) ON DELETE CASCADE,
  constraint versions_agent_id_number_key UNIQUE (agent_id, number),
  constraint versions_check CHECK ((state = 'ready'::text) = (image IS NOT NULL)),
  constraint versions_check1 CHECK ((state = 'failed'::text) = (failure IS NOT NULL)),
  constraint versions_check2 CHECK ((state = 'building'::text) = (finished_at IS NULL)),
  constraint versions_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE CASCADE,
  constraint versions_source_snapshot_id_fkey FOREIGN KEY (source_snapshot_id) REFERENCES source_snapshots(id),
  constraint versions_state_check CHECK (state = ANY (ARRAY['building'::text, 'ready'::text, 'failed'::text]))
);
CREATE INDEX versions_building ON versions USING btree (created_at) WHERE state = 'building'::text;
CREATE INDEX versions_by_image ON versions USING btree ((image ->> 'objectKey'::text)) WHERE image IS NOT NULL;
CREATE INDEX versions_by_layer ON versions USING btree (((image -> 'layer'::text) ->> 'objectKey'::text)) WHERE ((image -> 'layer'::text) ->> 'objectKey'::text) IS NOT NULL;
CREATE INDEX versions_by_source_snapshot ON versions USING btree (source_snapshot_id);
CREATE TRIGGER keep_image BEFORE INSERT OR UPDATE OF image ON versions FOR EACH ROW EXECUTE FUNCTION keep_image();
create policy platform on versions for all to dari_app using (true);
create policy tenant on versions for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table webhook_deliveries (
  id text not null,
  organization_id text not null,
  endpoint_id text not null,
  event_id text not null,
  type text not null,
  session_id text,
  sequence_number bigint,
  agent_id text,
  message_id text,
  attempt_id text,
  event_created_at timestamp with time zone not null,
  state text not null default 'pending'::text,
  attempts integer not null default 0,
  due_at timestamp with time zone,
  claim_token uuid,
  attempted_at timestamp with time zone,
  duration_ms integer,
  response_status integer,
  response_excerpt text,
  error text,
  created_at timestamp with time zone not null default clock_timestamp(),
  ended_at timestamp with time zone,
  constraint webhook_deliveries_pkey PRIMARY KEY (id),
  constraint webhook_deliveries_check CHECK ((state = 'pending'::text) = (due_at IS NOT NULL)),
  constraint webhook_deliveries_check1 CHECK ((state = 'pending'::text) = (ended_at IS NULL)),
  constraint webhook_deliveries_check2 CHECK (state = 'pending'::text OR claim_token IS NULL),
  constraint webhook_deliveries_check3 CHECK ((session_id IS NULL) = (sequence_number IS NULL)),
  constraint webhook_deliveries_endpoint_id_event_id_key UNIQUE (endpoint_id, event_id),
  constraint webhook_deliveries_endpoint_id_fkey FOREIGN KEY (endpoint_id) REFERENCES webhook_endpoints(id) ON DELETE CASCADE,
  constraint webhook_deliveries_state_check CHECK (state = ANY (ARRAY['pending'::text, 'delivered'::text, 'failed'::text, 'cancelled'::text]))
);
CREATE INDEX webhook_deliveries_by_endpoint ON webhook_deliveries USING btree (endpoint_id, id);
CREATE INDEX webhook_deliveries_ended ON webhook_deliveries USING btree (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX webhook_deliveries_pending ON webhook_deliveries USING btree (endpoint_id, due_at) WHERE state = 'pending'::text;
CREATE INDEX webhook_deliveries_undelivered ON webhook_deliveries USING btree (endpoint_id, id) WHERE state = ANY (ARRAY['failed'::text, 'cancelled'::text]);
create policy platform on webhook_deliveries for all to dari_app using (true);
create policy tenant on webhook_deliveries for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table webhook_endpoints (
  id text not null,
  organization_id text not null,
  agent_id text,
  url text not null,
  description text,
  event_types text[] not null,
  status text not null default 'enabled'::text,
  disabled_reason text,
  failures integer not null default 0,
  failing_since timestamp with time zone,
  created_at timestamp with time zone not null default clock_timestamp(),
  updated_at timestamp with time zone not null default clock_timestamp(),
  deleted_at timestamp with time zone,
  constraint webhook_endpoints_pkey PRIMARY KEY (id),
  constraint webhook_endpoints_check CHECK ((status = 'disabled'::text) = (disabled_reason IS NOT NULL)),
  constraint webhook_endpoints_check1 CHECK ((failures = 0) = (failing_since IS NULL)),
  constraint webhook_endpoints_disabled_reason_check CHECK (disabled_reason = ANY (ARRAY['manual'::text, 'failing'::text, 'gone'::text, 'backlog'::text])),
  constraint webhook_endpoints_event_types_check CHECK (cardinality(event_types) > 0),
  constraint webhook_endpoints_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE CASCADE,
  constraint webhook_endpoints_status_check CHECK (status = ANY (ARRAY['enabled'::text, 'disabled'::text]))
);
CREATE INDEX webhook_endpoints_by_organization ON webhook_endpoints USING btree (organization_id, id) WHERE deleted_at IS NULL;
CREATE INDEX webhook_endpoints_deleted ON webhook_endpoints USING btree (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX webhook_endpoints_listening ON webhook_endpoints USING btree (organization_id) WHERE status = 'enabled'::text AND deleted_at IS NULL;
create policy platform on webhook_endpoints for all to dari_app using (true);
create policy tenant on webhook_endpoints for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table webhook_outbox (
  id bigint not null generated always as identity,
  organization_id text not null,
  session_id text not null,
  first_number bigint not null,
  end_number bigint not null,
  constraint webhook_outbox_pkey PRIMARY KEY (id)
);
create policy platform on webhook_outbox for all to dari_app using (true);
create policy tenant on webhook_outbox for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table webhook_secrets (
  endpoint_id text not null,
  number integer not null,
  organization_id text not null,
  sealed bytea not null,
  expires_at timestamp with time zone,
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint webhook_secrets_pkey PRIMARY KEY (endpoint_id, number),
  constraint webhook_secrets_endpoint_id_fkey FOREIGN KEY (endpoint_id) REFERENCES webhook_endpoints(id) ON DELETE CASCADE,
  constraint webhook_secrets_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE CASCADE
);
create policy platform on webhook_secrets for all to dari_app using (true);
create policy tenant on webhook_secrets for all to dari_tenant using ((organization_id = current_setting('dari.organization_id'::text, true)));

create table workers (
  id text not null,
  release integer not null,
  pool text not null,
  slots integer not null,
  draining boolean not null default false,
  details jsonb not null,
  started_at timestamp with time zone not null default clock_timestamp(),
  seen_at timestamp with time zone not null default clock_timestamp(),
  constraint workers_pkey PRIMARY KEY (id),
  constraint workers_slots_check CHECK (slots >= 0)
);

-- function accept_message(p_organization text, p_session text, p_message text, p_parts jsonb, p_metadata jsonb, p_inputs jsonb, p_dispatch_ttl_ms integer, p_on_busy text, p_retry_of text, p_merge_parts integer, p_merge_bytes integer, p_background boolean DEFAULT false, p_batch text DEFAULT NULL::text, p_conversation_digest bytea DEFAULT NULL::bytea, p_limits jsonb DEFAULT NULL::jsonb) returns TABLE(outcome text, sequence_number integer, schedule text, dispatch_number bigint, max_attempts integer, detail text, ended text[], stopping text, steers boolean)
-- function accepted_at(p_session text) returns timestamp with time zone
-- function answer_input(p_organization text, p_message text, p_key text, p_value jsonb, p_dispatch_ttl_ms integer) returns TABLE(outcome text, session_id text, schedule text, dispatch_number bigint, attempts_left integer)
-- function append_attempt_events(p_session text, p_fence bigint, p_token uuid, p_events jsonb) returns boolean
-- function append_attempt_logs(p_session text, p_fence bigint, p_token uuid, p_lines jsonb) returns boolean
-- function append_status_events(p_session text, p_organization text, p_message text, p_first bigint, p_status text, p_terminal boolean, p_idle boolean) returns void
-- function append_taken_ends(s sessions, p_ended text[], p_ending text) returns bigint
-- function cancel_message(p_organization text, p_message text) returns TABLE(outcome text, session_id text, delivered_in text)
-- function cancelled_output() returns jsonb
-- function charge_budgets(s sessions, a attempts, p_usage jsonb) returns void
-- function claim_again(p_worker text, p_attempt text, p_lease_ms integer, p_session text DEFAULT NULL::text) returns TABLE(session_id text, organization_id text, message_id text, fence bigint, claim_token uuid, attempt_number integer, uncounted_claims integer)
-- function claim_build(p_worker text, p_lease_ms integer, p_losses_max integer, p_except text[]) returns TABLE(version_id text, build_fence integer)
-- function claim_locked_session(p_session text, p_worker text, p_attempt text, p_lease_ms integer, p_guarantees jsonb) returns TABLE(message_id text, fence bigint, claim_token uuid, attempt_number integer, uncounted_claims integer)
-- function claim_next_turn(p_worker text, p_attempt text, p_lease_ms integer, p_guarantees jsonb) returns TABLE(session_id text, organization_id text, message_id text, fence bigint, claim_token uuid, attempt_number integer, uncounted_claims integer)
-- function claim_turn(p_session text, p_dispatch_number bigint, p_worker text, p_attempt text, p_lease_ms integer, p_guarantees jsonb, p_retry text DEFAULT NULL::text) returns TABLE(outcome text, wait_ms integer, organization_id text, message_id text, fence bigint, claim_token uuid, attempt_number integer, uncounted_claims integer)
-- function copy_conversation(s sessions, p_last integer, p_session text) returns void
-- function cost_held(r model_requests) returns bigint
-- function cost_limit(p_message text) returns bigint
-- function count_bundle() returns trigger
-- function count_file() returns trigger
-- function count_recording() returns trigger
-- function count_session() returns trigger
-- function count_sessions_made() returns trigger
-- function count_value() returns trigger
-- function counted_in(p_organization text, p_kind text, p_more bigint) returns text
-- function counts_turns(p_organization text, p_agent text, p_session text, p_batch text) returns boolean
-- function decline_budget(s sessions, m messages, i message_inputs, p_value jsonb) returns text
-- function delete_recorded_answers() returns trigger
-- function delete_recording() returns trigger
-- function delete_steps() returns trigger
-- function dispatch_sessions(p_organizations text[], p_counts integer[], p_ttl_ms integer, p_background integer[] DEFAULT NULL::integer[]) returns TABLE(session_id text, organization_id text, dispatch_number bigint, message_id text, attempts_left integer, is_background boolean)
-- function end_attempt(s sessions, m messages, a attempts, p_ending text, p_outcome text, p_failure jsonb, p_output jsonb, p_files_changed jsonb, p_snapshot text, p_timings jsonb, p_wait_ms integer, p_usage jsonb DEFAULT NULL::jsonb) returns boolean
-- function end_input(p_session text, p_state text) returns void
-- function end_queued_message(s sessions, m messages, p_status text, p_output jsonb, p_merged_into text DEFAULT NULL::text) returns void
-- function end_taken(s sessions, a attempts, p_ending text, p_output jsonb, p_at timestamp with time zone) returns text[]
-- function end_what_was_let_in() returns trigger
-- function ended_seconds(p_since timestamp with time zone, p_settling_ms integer, p_limit integer) returns TABLE(until text, organization_id text, weight integer, turns integer, seconds double precision)
-- function expire_inputs(p_limit integer) returns TABLE(session_id text, organization_id text, message_id text)
-- function expire_recordings() returns trigger
-- function fail_lost_builds(p_losses_max integer) returns integer
-- function finish_build(p_version text, p_fence integer, p_image jsonb, p_failure jsonb, p_warnings jsonb) returns boolean
-- function finish_turn(p_session text, p_fence bigint, p_token uuid, p_ending text, p_failure jsonb, p_output jsonb, p_files_changed jsonb, p_snapshot jsonb, p_timings jsonb, p_wait_ms integer, p_uncounted_max integer, p_input jsonb DEFAULT NULL::jsonb, p_delivered integer DEFAULT NULL::integer) returns TABLE(recorded text, again boolean, more boolean)
-- function fleet_load(p_seen_within_ms integer) returns TABLE(slots integer, workers integer, is_shared boolean, organization_id text, in_flight integer, weight integer, max_concurrency integer, background integer)
-- function follow_active_version() returns trigger
-- function forget_count(p_organization text, p_kind text) returns void
-- function fork_session(p_organization text, p_source text, p_message text, p_without boolean, p_session text, p_version text) returns text
-- function group_of(p_id text) returns integer
-- function hand_back(a attempts, p_delivered integer) returns void
-- function has_no_try_left(m messages, a attempts, p_uncounted_max integer) returns boolean
-- function head_after(s sessions, m messages) returns text
-- function head_before(s sessions, m messages) returns text
-- function history_before(p_session text, p_number integer, p_messages integer, p_bytes integer) returns TABLE(parts jsonb, output jsonb, steered jsonb)
-- function hold_claim(p_session text, p_fence bigint, p_token uuid) returns boolean
-- function hold_count(p_organization text, p_kind text) returns bigint
-- function hold_reason(p_organization text, p_agent text, p_session text) returns text
-- function inputs_to_place(p_session text, p_number integer) returns TABLE(path text, "messageId" text, "objectKey" text, "sizeBytes" bigint, sha256 text)
-- function insert_turn_snapshot(s sessions, m messages, a attempts, p_snapshot jsonb, p_completed boolean) returns text
-- function is_awaited(p_file text) returns boolean
-- function is_from_token(p_metadata jsonb) returns boolean
-- function is_held(s sessions, p_fence bigint, p_token uuid) returns boolean
-- function is_named(p_key text) returns boolean
-- function is_outdated(p_worker text) returns boolean
-- function is_over(b budgets) returns boolean
-- function is_platform_fault(p_failure jsonb) returns boolean
-- function is_use_known(r model_requests) returns boolean
-- function is_watched(p_organization text) returns boolean
-- function keep_image() returns trigger
-- function keep_layer() returns trigger
-- function keep_object() returns trigger
-- function keep_recording(s sessions, m messages, p_total_bytes bigint) returns void
-- function keep_value() returns trigger
-- function kept_now(p_organization text, p_kind text) returns bigint
-- function kept_of(p_organization text, p_kind text, p_most bigint) returns bigint
-- function last_failed_fence(p_message text) returns bigint
-- function limit_room(p_organization text, p_agent text, p_batch text) returns integer
-- function limits_of(m messages, p_manifest jsonb) returns jsonb
-- function limits_of_answer(i message_inputs, p_value jsonb, p_raised jsonb) returns jsonb
-- function lower_limits(p_one jsonb, p_other jsonb) returns jsonb
-- function lowest_release() returns integer
-- function make_way(p_session text, p_message text, p_on_busy text, p_parts_max integer, p_bytes_max integer) returns TABLE(ended text[], stopping text, schedule text)
-- function mark_called(p_session text, p_fence bigint, p_token uuid, p_parts jsonb) returns boolean
-- function mark_replay(p_session text, p_message text, p_of text, p_asks_models boolean) returns void
-- function may_begin(p_session text) returns boolean
-- function may_count_turns(p_organization text) returns boolean
-- function may_pass_dispatcher() returns boolean
-- function may_take(p_want bigint, p_left bigint, p_whole boolean, p_spare bigint) returns bigint
-- function merge_waiting(p_session text, p_message text, p_parts_max integer, p_bytes_max integer) returns text[]
-- function model_cost(p_host text, p_model text, p_status integer, p_input bigint, p_cached bigint, p_cache_write bigint, p_output bigint) returns bigint
-- function new_id(p_prefix text) returns text
-- function note_webhook_events() returns trigger
-- function number_agent_name() returns trigger
-- function oldest_ready_at(p_organization text) returns timestamp with time zone
-- function open_messages(p_organization text, p_default_max integer) returns TABLE(open_messages integer, max_backlog integer)
-- function pause_session(p_session text) returns void
-- function period_start(p_period text) returns timestamp with time zone
-- function price_hosts(p_host text) returns text[]
-- function price_of(p_host text, p_model text) returns SETOF model_prices
-- function ready_due_retries(p_limit integer, p_overdue_ms integer) returns TABLE(session_id text, organization_id text)
-- function ready_groups(p_organization text, p_background boolean, p_from integer, p_limit integer) returns TABLE(limit_group integer, room integer)
-- function ready_organizations(p_after text DEFAULT ''::text, p_limit integer DEFAULT NULL::integer) returns SETOF text
-- function ready_with_room(p_limit integer) returns TABLE(id text, can_begin boolean)
-- function reap_lease(s sessions, p_uncounted_max integer) returns text
-- function reap_sessions(p_limit integer, p_grace_ms integer, p_overdue_ms integer, p_uncounted_max integer) returns TABLE(session_id text, organization_id text, was text, recorded text)
-- function record_answer(p_session text, p_fence bigint, p_token uuid, p_answer jsonb, p_rows_max integer, p_bytes_max bigint) returns text
-- function record_model_requests(p_session text, p_fence bigint, p_token uuid, p_requests jsonb) returns boolean
-- function record_object(p_organization text, p_key text, p_bytes bigint, p_references jsonb) returns boolean
-- function record_step(p_session text, p_fence bigint, p_token uuid, p_name text, p_ordinal bigint, p_result text, p_usage jsonb DEFAULT NULL::jsonb) returns boolean
-- function record_value(p_session text, p_fence bigint, p_token uuid, p_value jsonb) returns boolean
-- function recorded_answers_of(p_session text, p_message text) returns TABLE(digest text, ordinal integer, "objectKey" text, "sizeBytes" bigint)
-- function recount(p_organization text, p_kind text) returns bigint
-- function refuse_more(p_kind text, p_most bigint, p_kept bigint, p_more bigint) returns void
-- function refuse_undeclared_edge() returns trigger
-- function release_held_sessions(p_organization text, p_after_organization text, p_after_agent text, p_after_session text, p_looks integer) returns TABLE(organization_id text, agent_id text, session_id text, is_released boolean)
-- function renew_leases(p_sessions text[], p_fences bigint[], p_tokens uuid[], p_lease_ms integer) returns TABLE(session_id text, fence bigint, is_renewed boolean, cancel_requested boolean, steering_waits boolean)
-- function replay_of(m messages) returns json
-- function request_input(s sessions, m messages, a attempts, p_input jsonb, p_snapshot text) returns void
-- function reserve_model_request(p_session text, p_fence bigint, p_token uuid, p_ordinal integer, p_host text, p_format text, p_tokens bigint, p_max_requests bigint, p_max_tokens bigint, p_input bigint DEFAULT NULL::bigint, p_model text DEFAULT NULL::text) returns TABLE(outcome text, requests bigint, tokens bigint, unknown bigint, cost bigint, unknown_cost bigint, max_cost bigint, asked_cost bigint)
-- function rollback_session(p_organization text, p_session text, p_message text) returns text
-- function sender_of(p_metadata jsonb) returns jsonb
-- function settle_build_waiters(p_sessions integer, p_messages integer) returns TABLE(session_id text, organization_id text, result text)
-- function steering_waits(p_session text, p_fence bigint) returns boolean
-- function stop_turns(p_reason text) returns void
-- function storage_refusal(s sessions, p_total_bytes bigint) returns jsonb
-- function take_back(p_session text, p_message text, p_on_busy text) returns TABLE(ended text[], stopping text)
-- function take_from_window(p_organization text, p_key text, p_kind text, p_seconds integer, p_want bigint, p_whole boolean, p_spare bigint, p_quota bigint) returns TABLE(granted bigint, remaining bigint, reset_ms integer)
-- function take_from_windows(p_organizations text[], p_keys text[], p_kinds text[], p_seconds integer[], p_wants bigint[], p_whole boolean[], p_spares bigint[], p_quotas bigint[], p_key_quotas bigint[]) returns TABLE(granted bigint, quota bigint, remaining bigint, reset_ms integer, key_remaining bigint, key_reset_ms integer)
-- function take_steering(p_session text, p_fence bigint, p_token uuid, p_received integer, p_messages_max integer, p_bytes_max integer) returns jsonb
-- function taken_by(a attempts) returns SETOF messages
-- function taken_status(p_ending text) returns text
-- function tokens_held(r model_requests) returns bigint
-- function tokens_of(p_usage jsonb) returns bigint
-- function turn_details(p_message text, p_history_messages integer, p_history_bytes integer) returns TABLE(organization_id text, agent_id text, version_id text, manifest jsonb, image jsonb, parts jsonb, metadata jsonb, max_attempts integer, head_snapshot_id text, cancel_requested boolean, created_at timestamp with time zone, started_at timestamp with time zone, max_bytes bigint, max_files integer, max_file_bytes bigint, history json, inputs json, resume_snapshot_id text, resume_inputs jsonb, answers json, egress json, max_turn_memory_bytes bigint, max_turn_cpus double precision, steering_waits boolean, taken_before json, steps json, limits jsonb, recorded_answers json, replay json, answer_recording text)
-- function turn_timeout(p_session text) returns interval
-- function turns_are_stopped() returns boolean
-- function undispatch_sessions(p_sessions text[], p_dispatch_numbers bigint[]) returns integer
-- function values_up_to(p_session text, p_last integer) returns bigint
-- function waits_for_slot(p_organization text) returns boolean
-- function watched_sessions(p_organization text, p_background boolean, p_most integer) returns SETOF text
-- function with_call(p_session text, p_fence bigint) returns attempts
-- function with_extra_attempt(s sessions, m messages, a attempts, p_failure jsonb) returns messages
-- function with_repeat_note(p_failure jsonb) returns jsonb
-- function worst_cost(p model_prices, p_input bigint, p_output bigint) returns bigint
-- function write_head(p_organization text, p_session text, p_snapshot jsonb, p_files_changed jsonb, p_message text, p_idle boolean) returns text
