-- Why: people sign in, by links that open once and through an identity provider, and let their command lines in.
-- Locks: members, invitations, api_keys and audit_entries for a moment, to add columns.
-- Breaking for the release before: no.

alter table members
  -- Who the identity provider says this is, from the first sign-in through it on. An address may get another owner.
  add issuer text,
  add subject text,
  add last_signed_in_at timestamptz,
  add check ((issuer is null) = (subject is null));
create index members_by_email on members (email);
create index members_by_subject on members (issuer, subject) where subject is not null;

alter table invitations
  -- Null: without a link. Invite again for one.
  add secret_hash bytea unique,
  add expires_at timestamptz not null default clock_timestamp() + interval '7 days';

alter table api_keys
  -- The person whose device has the key: it can do what the person's role allows, and ends with the membership.
  -- Null: the organization's own.
  add member_id text references members on delete cascade,
  -- Whether an admin key may make, change and remove owners: not when an admin made it who may not.
  add manages_owners boolean not null default true;
create index api_keys_by_member on api_keys (member_id) where member_id is not null;

alter table audit_entries add actor_member_id text;

-- A browser that is signed in. The secret is in its cookie; here is its SHA-256, as of keys.
create table sign_ins (
  id text primary key,
  organization_id text not null references organizations on delete cascade,
  member_id text not null references members on delete cascade,
  secret_hash bytea not null unique,
  method text not null check (method in ('link', 'oidc')),
  -- Whether the person was an owner then. Who became one later may have been signed in by somebody who is none.
  manages_owners boolean not null,
  expires_at timestamptz not null,
  created_at timestamptz not null default clock_timestamp()
);
create index sign_ins_by_member on sign_ins (member_id);
create index sign_ins_by_expiry on sign_ins (expires_at);

-- A link that signs a member in. Opening it deletes the row, so that it opens once.
create table sign_in_links (
  member_id text primary key references members on delete cascade,
  organization_id text not null references organizations on delete cascade,
  secret_hash bytea not null unique,
  expires_at timestamptz not null,
  created_at timestamptz not null default clock_timestamp()
);
create index sign_in_links_by_expiry on sign_in_links (expires_at);

-- A command line that waits for a person. The poll that finds it approved deletes the row and makes the key.
create table device_requests (
  device_hash bytea primary key,
  -- Keyed: what a person can type, a computer can try.
  user_hash bytea not null unique,
  device_name text not null,
  state text not null default 'pending' check (state in ('pending', 'approved', 'denied')),
  -- Who approved it, and for which organization.
  organization_id text references organizations on delete cascade,
  member_id text references members on delete cascade,
  -- Whether the browser that approved it may manage owners: the key can do no more than that.
  manages_owners boolean not null default false,
  interval_seconds int not null check (interval_seconds > 0),
  polled_at timestamptz,
  expires_at timestamptz not null,
  created_at timestamptz not null default clock_timestamp(),
  check ((state = 'approved') = (member_id is not null)),
  check ((member_id is null) = (organization_id is null))
);
create index device_requests_by_expiry on device_requests (expires_at);
create index device_requests_by_member on device_requests (member_id) where member_id is not null;

-- Tries in the window that runs, by address or person. Not logged, as rate_windows.
create unlogged table sign_in_tries (
  kind text not null,
  subject text not null,
  started_at timestamptz not null,
  used int not null,
  primary key (kind, subject)
) with (fillfactor = 50);
create index sign_in_tries_by_start on sign_in_tries (started_at);
