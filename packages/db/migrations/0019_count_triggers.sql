-- Why: see 0018. A bound that was set before gets its count by the reconciler's next look.
-- Transaction: none. Each statement may be repeated; each table is locked by itself, because calls lock them in orders
-- of their own.
-- Locks: sessions, files and source_snapshots for a moment each. It waits for transactions that write to them.
-- Breaking for the release before: no.

create or replace trigger count_made after insert on sessions for each row
  when (new.deleted_at is null) execute function count_session();
create or replace trigger count_changed after update of deleted_at, head_snapshot_id on sessions for each row
  when (old.deleted_at is distinct from new.deleted_at
    or new.deleted_at is null and old.head_snapshot_id is distinct from new.head_snapshot_id)
  execute function count_session();
create or replace trigger count_gone after delete on sessions for each row
  when (old.deleted_at is null) execute function count_session();
create or replace trigger count_made after insert on files for each row
  when (new.deleted_at is null) execute function count_file();
create or replace trigger count_changed after update of deleted_at on files for each row
  when (old.deleted_at is distinct from new.deleted_at) execute function count_file();
create or replace trigger count_gone after delete on files for each row
  when (old.deleted_at is null) execute function count_file();
create or replace trigger count_changed after insert or delete on source_snapshots for each row
  execute function count_bundle();
