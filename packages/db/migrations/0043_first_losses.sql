-- Why: a turn that loses its worker is run once more, and the lost attempt does not count.
-- Transaction: none. Each statement may be repeated.
-- Locks: attempts for a moment, to add a column.
-- Breaking for the release before: no. Its workers end attempts with the functions of this release.

-- Whether the attempt was its message's first one that lost its worker after the call. Null: it has not ended, or it
-- ended before this release. Then it counts.
alter table attempts add column if not exists is_first_loss boolean;
