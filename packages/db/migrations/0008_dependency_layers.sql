-- Why: what a lockfile installs is installed once per organization and shared by the images that need it.
-- Locks: versions for a moment; the new index reads it.
-- Breaking for the release before: no.

-- One row per set of dependencies that somebody builds or has built.
create table dependency_layers (
  organization_id text not null,
  -- sha256 of all that decides what is installed.
  key text not null,
  -- Null while it is built: {digest, objectKey}.
  layer jsonb,
  -- Who builds it, by a random token, and until when that is believed.
  holder text,
  lease_until timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  used_at timestamptz not null default clock_timestamp(),
  primary key (organization_id, key),
  check (layer is null or holder is null)
);
create index dependency_layers_by_use on dependency_layers (used_at);
create index dependency_layers_by_object on dependency_layers ((layer ->> 'objectKey')) where layer is not null;
create index versions_by_layer on versions ((image -> 'layer' ->> 'objectKey'))
  where image -> 'layer' ->> 'objectKey' is not null;
