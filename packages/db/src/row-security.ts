// Row-level security, as a second check behind every query of an organization's call. The role `dari_tenant` sees the
// rows of the organization that its transaction names, and none without one. `dari_app`, the role of the platform's own
// work, and the owner see all rows, so that `pg_dump` and migrations work.

import { sql, type QueryExecutorProvider } from "kysely";
import { schemaName, type Database } from "./database.ts";
import { organizationSetting, tenantRole as role } from "./tenant-transaction.ts";

/** Tables without an organization that calls can read. */
const readableTables = ["platform_stops"] as const;

/** Privileges of calls on tables, if they are not to read and write rows. */
const grants: Readonly<Record<string, string>> = {
  // Locking a row requires the privilege to update one of its columns.
  organizations: "select, update (name)",
  audit_entries: "select, insert",
  // Changed by the triggers on the counted tables.
  kept_counts: "select",
};
const ordinaryGrant = "select, insert, update, delete";

/**
 * Enables row-level security for every table with an organization that lacks it, each in its own transaction. Safe
 * during running work, because `dari_app` keeps its rights. Returns false if this user can neither create the role nor
 * become it. Calls then run without row-level security.
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

/** If the table does not exist yet, the privilege is null, not false. */
function grantSelect(table: string): string {
  const name = `${schemaName}.${table}`;
  return `if has_table_privilege('${role}', to_regclass('${name}'), 'select') is false then
    grant select on ${name} to ${role};
  end if;`;
}

/** Creates the role if it is missing and this user may create it. */
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

/** Roles are shared by all databases of the server. Another database's setup may create it at the same time. */
export async function createRole(db: QueryExecutorProvider, name: string): Promise<void> {
  try {
    await sql`create role ${sql.ref(name)} nologin`.execute(db);
  } catch (error) {
    if (!alreadyThere.includes((error as { code?: string }).code ?? "")) throw error;
  }
}

/** From PostgreSQL 16 on, the creator of a role can grant it, but needs a grant to become it. */
export async function grantRoleToSelf(db: QueryExecutorProvider, name: string): Promise<void> {
  const member = await sql<{ ok: boolean }>`select case when current_setting('server_version_num')::int >= 160000
    then pg_has_role(current_user, ${name}, 'set') else pg_has_role(current_user, ${name}, 'member') end as ok`.execute(
    db,
  );
  if (member.rows[0]?.ok !== true) await sql`grant ${sql.ref(name)} to current_user`.execute(db);
}

/** Lists tables with an organization, and the organizations' table, that lack their policies or grants. */
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
  /** Whether organizations' calls run behind it. */
  readonly isEnabled: boolean;
  /** The role of a connection for calls; null if there is no connection. With another role, calls are refused. */
  readonly runsAs: string | null;
  /**
   * Whether the tenants' role has too many privileges: it is a superuser, bypasses policies, or is the platform's role.
   */
  readonly isBypassed: boolean;
  /** Tables without row-level security. */
  readonly tablesWithout: readonly string[];
  /** The user of `DATABASE_URL`. */
  readonly user: string;
}

/** Reads the catalogue, and the role of a connection for calls. */
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
  // Without a transaction's setting the value is null or, after an earlier transaction, empty: neither is an
  // organization's id.
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
