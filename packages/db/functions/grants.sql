-- The application's role reads and writes rows; it owns no table, so that row-level security can stand behind it.
grant usage on schema dari to dari_app;
grant select, insert, update, delete on all tables in schema dari to dari_app;
grant execute on all functions in schema dari to dari_app;
-- The record of changes is only ever added to.
revoke update, delete on audit_entries from dari_app;
