-- Why: the overview lists an organization's waiting inputs. Without the index it reads those of all organizations.
-- Transaction: none. Each statement may be repeated.
-- Locks: none that stops a turn. The index is built beside what writes.
-- Breaking for the release before: no. It does not use the index.

drop index concurrently if exists message_inputs_waiting_by_organization;
create index concurrently message_inputs_waiting_by_organization
  on message_inputs (organization_id, requested_at) where state = 'waiting';
