-- Why: operators limit the memory and the processors of an organization's turns.
-- Locks: organizations for a moment, to add columns that are null.
-- Breaking for the release before: no. It does not read them.

alter table organizations
  add max_turn_memory_bytes bigint check (max_turn_memory_bytes > 0),
  add max_turn_cpus double precision check (max_turn_cpus > 0);
