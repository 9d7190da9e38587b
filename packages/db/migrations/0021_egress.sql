-- Why: what each organization's agents may connect to, and credentials that agents see a placeholder of.
-- Locks: organizations for a moment, to refer to it; credentials for a moment, to add a column that is null.
-- Breaking for the release before: no. Its workers know neither: docs/operations.md says what to do before rolling back.

-- At most two of an organization: its own, and the one that operators have set. Both must allow a destination.
create table egress_settings (
  organization_id text not null references organizations on delete cascade,
  set_by text not null check (set_by in ('organization', 'operator')),
  mode text not null check (mode in ('off', 'allow', 'open')),
  -- What `allow` allows.
  hosts text[] not null default '{}',
  updated_at timestamptz not null default clock_timestamp(),
  primary key (organization_id, set_by)
);

alter table credentials
  -- Where the value is put in for the placeholder that agents are given. Null: they are given the value.
  add hosts text[] check (cardinality(hosts) > 0);
