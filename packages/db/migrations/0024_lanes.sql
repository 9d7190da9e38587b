-- Why: an organization's batches and schedules must not hold up the messages that its people wait for; an agent and a
-- batch may bound how many of their turns run at once.
-- Transaction: none. Each statement may be repeated; indexes are built beside what writes to sessions.
-- Locks: messages, sessions, schedules, session_batches and agents for a moment each. It waits for transactions that are
-- open when it begins to build.
-- Breaking for the release before: no. Its messages are interactive, and its sessions belong to no batch.

alter table messages add column if not exists is_background boolean not null default false;
-- A session's place in the schedule, set when it stops being idle and kept until it is idle again.
alter table sessions
  -- False as soon as one interactive message is among its open ones.
  add column if not exists is_background boolean not null default false,
  -- The batch whose max_concurrency counts its turns.
  add column if not exists batch_id text,
  -- The queue of ready sessions it waits in: 0, or the hash of the bound that it waits for (see limit_group).
  add column if not exists limit_group int not null default 0;
alter table schedules add column if not exists is_background boolean not null default true;
alter table session_batches
  add column if not exists is_background boolean not null default true,
  add column if not exists max_concurrency int check (max_concurrency > 0);
-- runtime.max_concurrency of the active version, for all sessions of the agent.
alter table agents add column if not exists max_concurrency int;

drop index concurrently if exists sessions_ready_by_lane;
create index concurrently sessions_ready_by_lane
  on sessions (organization_id, is_background, limit_group, ready_at) where schedule = 'ready';
drop index concurrently if exists sessions_ready;
alter index sessions_ready_by_lane rename to sessions_ready;
drop index concurrently if exists agents_limited;
create index concurrently agents_limited on agents (organization_id) where max_concurrency is not null;

-- Whoever activates a version, also a program of the release before.
create or replace function follow_active_version() returns trigger language plpgsql
  set search_path = dari, pg_temp as $$
begin
  new.max_concurrency := (select (v.manifest -> 'runtime' ->> 'max_concurrency')::int from versions v
    where v.id = new.active_version_id);
  return new;
end $$;
create or replace trigger follow_active_version before insert or update of active_version_id on agents
  for each row execute function follow_active_version();
