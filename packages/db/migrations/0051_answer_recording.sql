-- Why: organizations can forbid that answers of models are recorded.
-- Locks: organizations for a moment, to add a foreign key.
-- Breaking for the release before: no. Its workers record answers if dari.yml asks for it.

-- Whether answers of models may be recorded. `never`: also if dari.yml asks for it. No row: allowed.
create table answer_recording_settings (
  organization_id text primary key references organizations on delete cascade,
  mode text not null check (mode in ('allowed', 'never')),
  updated_at timestamptz not null default clock_timestamp()
);
