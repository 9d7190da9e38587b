-- Why: see 0012. What is held is looked through by agent, past all of those that are held together.
-- Transaction: none. Each statement may be repeated; the index is built beside what writes to sessions.
-- Locks: none that turns would wait for. It waits for transactions that are open when it begins.
-- Breaking for the release before: no.

drop index concurrently if exists sessions_held;
create index concurrently sessions_held on sessions (organization_id, agent_id, id)
  where blocked_reason in ('budget', 'paused');
