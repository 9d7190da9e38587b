// Row-level security, which backs up the condition in every query of an organization's call. The role `dari_tenant`
// sees the rows of the organization that its transaction names, and none where it names none; `dari_app`, as which the
// platform does its own work, sees all. Owners see all as well, so that `pg_dump` and migrations work.

import { sql, type QueryExecutorProvider } from "kysely";
import { schemaName, type Database } from "./database.ts";
import { organizationSetting, tenantRole as role } from "./tenants.ts";

/** Tables without an organization that calls can read. */
const readableTables = ["platform_stops"] as const;

/** Rights of calls on tables, where they differ from reading and writing rows. */
const grants: Readonly<Record<string, string>> = {
  // Locking a row requires the right to write one of its columns.
  organizations: "select, update (name)",
  audit_entries: "select, insert",
  // Changed by the triggers of what is counted.
  kept_counts: "select",
};
const ordinaryGrant = "select, insert, update, delete";

/**
 * Puts every table that carries an organization behind row-level security, where it is not yet, each in a transaction
 * of its own. Safe beside what runs: `dari_app` is as free as before. False where this user can neither create
 * the role nor become it: then calls run without row-level security.
 */
export async function enableRowSecurity(db: QueryExecutorProvider): Promise<boolean> {
  if (!(await ensureTenantRole(db))) return false;
  for (const table of await listTablesWithoutRowSecurity(db)) await protectTable(db, table);
  await sql
    .raw(
      `do $$ begin
    if not has_schema_privilege('${role}', '${schemaName}', 'usage') then
      grant usage on schema ${schemaName} to ${role};
    end if;
    if exists (select 1 from pg_proc where pronamespace = '${schemaName}'::regnamespace
        and not has_function_privilege('${role}', oid, 'execute')) then
      grant execute on all functions in schema ${schemaName} to ${role};
    end if;
    ${readableTables.map(grantSelect).join("\n")}
  end $$`,
    )
    .execute(db);
  return true;
}

/** Where there is no such table yet, the privilege is unknown and not false. */
function grantSelect(table: string): string {
  const name = `${schemaName}.${table}`;
  return `if has_table_privilege('${role}', to_regclass('${name}'), 'select') is false then
    grant select on ${name} to ${role};
  end if;`;
}

/** Makes the role where it is missing and may be made. */
async function ensureTenantRole(db: QueryExecutorProvider): Promise<boolean> {
  try {
    const known = await sql`select 1 from pg_roles where rolname = ${role}`.execute(db);
    if (known.rows.length === 0) await createRole(db, role);
    await grantRoleToSelf(db, role);
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === insufficientPrivilege) return false;
    throw error;
  }
}

const insufficientPrivilege = "42501";
const alreadyThere = ["42710", "23505"];

/** Roles belong to the whole server, and another database's set-up may make it in this moment. */
export async function createRole(db: QueryExecutorProvider, name: string): Promise<void> {
  try {
    await sql`create role ${sql.ref(name)} nologin`.execute(db);
  } catch (error) {
    if (!alreadyThere.includes((error as { code?: string }).code ?? "")) throw error;
  }
}

/** From PostgreSQL 16 on, the creator of a role can grant it, but cannot take it without a grant. */
export async function grantRoleToSelf(db: QueryExecutorProvider, name: string): Promise<void> {
  const member = await sql<{ ok: boolean }>`select case when current_setting('server_version_num')::int >= 160000
    then pg_has_role(current_user, ${name}, 'set') else pg_has_role(current_user, ${name}, 'member') end as ok`.execute(
    db,
  );
  if (member.rows[0]?.ok !== true) await sql`grant ${sql.ref(name)} to current_user`.execute(db);
}

/** Tables that carry an organization, and that of the organizations, without their policies or the tenants' grants. */
async function listTablesWithoutRowSecurity(db: QueryExecutorProvider): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`select c.relname as name from pg_class c
    where c.relnamespace = ${schemaName}::regnamespace and c.relkind in ('r', 'p')
      and (c.relname = 'organizations' or exists (select 1 from pg_attribute a
        where a.attrelid = c.oid and a.attname = 'organization_id' and not a.attisdropped))
      and not (c.relrowsecurity and has_table_privilege(${role}, c.oid, 'select')
        and (select count(*) from pg_policy p where p.polrelid = c.oid and p.polname in ('platform', 'tenant')) = 2)
    order by 1`.execute(db);
  return rows.map(({ name }) => name);
}

/** The state of row-level security, for operators. */
export interface RowSecurityState {
  /** Calls of organizations run with it. */
  readonly isEnabled: boolean;
  /** The role of a connection for calls; null: there is no connection. With another role, calls are refused. */
  readonly runsAs: string | null;
  /** The tenants' role may do more than it should: it is a superuser, passes over policies, or is the platform's. */
  readonly isBypassed: boolean;
  /** Tables without policies. */
  readonly tablesWithout: readonly string[];
  /** The user of `DATABASE_URL`. */
  readonly user: string;
}

/** Reads the catalogue, and asks a connection for calls who it is. */
export async function getRowSecurityState(db: Database): Promise<RowSecurityState> {
  const { rows } = await sql<{ user: string; strong: boolean | null }>`
    select session_user as user, (select rolsuper or rolbypassrls or pg_has_role(rolname, 'dari_app', 'member')
      from pg_roles where rolname = ${role}) as strong`.execute(db.kysely);
  const [found = { user: "", strong: null }] = rows;
  const tablesWithout = found.strong === null ? [] : await listTablesWithoutRowSecurity(db.kysely);
  const asked = await db.tenantPool?.query<{ role: string }>("select current_user as role");
  const runsAs = asked?.rows[0]?.role ?? null;
  return { isEnabled: runsAs === role, runsAs, isBypassed: found.strong ?? false, tablesWithout, user: found.user };
}

async function protectTable(db: QueryExecutorProvider, name: string): Promise<void> {
  const table = `${schemaName}.${name}`;
  const key = name === "organizations" ? "id" : "organization_id";
  // Without the setting it is null, and after a transaction that had it, empty: no organization's id.
  const isOwn = `${key} = current_setting('${organizationSetting}', true)`;
  await sql
    .raw(
      `drop policy if exists platform on ${table};
      drop policy if exists tenant on ${table};
      create policy platform on ${table} to dari_app using (true);
      create policy tenant on ${table} to ${role} using (${isOwn});
      alter table ${table} enable row level security;
      grant ${grants[name] ?? ordinaryGrant} on ${table} to ${role}`,
    )
    .execute(db);
}
