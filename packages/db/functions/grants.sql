-- The application's role reads and writes rows. It owns no table, so that row-level security applies to it.
grant usage on schema dari to dari_app;
grant select, insert, update, delete on all tables in schema dari to dari_app;
grant execute on all functions in schema dari to dari_app;
-- The audit log is append-only.
revoke update, delete on audit_entries from dari_app;
