// The services of a program that answers calls: its connections are behind row-level security and within its pool's
// limit.

import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createControl, openServices } from "@dari/control/assembly";
import type { Control } from "@dari/control/context";
import { examinePlatform } from "@dari/control/operations";
import { openDatabase } from "@dari/db";
import { createLogger } from "@dari/runtime";
import { createTestAgent, createTestDatabase, createTestOrganization, type TestDatabase } from "@dari/testkit";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { readApiConfig, type ApiConfig } from "../src/config.ts";

const stack = new AsyncDisposableStack();
const log = createLogger({ name: "api", level: "silent" });
let database: TestDatabase;
let settings: ApiConfig;
let control: Control;

beforeAll(async () => {
  database = stack.adopt(await createTestDatabase(), (opened) => opened.close());
  const dir = mkdtempSync(join(tmpdir(), "dari-row-security-"));
  stack.defer(() => rmSync(dir, { recursive: true, force: true }));
  settings = readApiConfig({
    DATABASE_URL: database.url,
    DARI_DATABASE_POOL: "7",
    DARI_BLOBS_DIR: dir,
    DARI_MASTER_KEY: randomBytes(32).toString("base64"),
  });
  const services = await openServices(settings, { program: "api", log, answersCalls: true }, stack);
  control = createControl(services, settings, "http://127.0.0.1");
});
afterAll(() => stack.disposeAsync());

/** What `dari doctor` shows of row-level security. */
async function verdict(of: Control) {
  const { checks } = await examinePlatform(of);
  return checks.find(({ name }) => name === "fence");
}

test("calls have their own connections, and all connections together stay within the pool's limit", async () => {
  const { pool, tenantPool } = control.db;
  expect((pool.options.max ?? 0) + (tenantPool?.options.max ?? 0)).toBe(7);
  const { organizationId } = await createTestOrganization(control.db);
  await createTestAgent(control.db, organizationId);
  const seenBy = async (id: string): Promise<number> =>
    (await control.db.forOrganization(id).kysely.selectFrom("agents").select("id").execute()).length;
  expect([await seenBy(organizationId), await seenBy("org_nobody")]).toEqual([1, 0]);
  expect(await verdict(control)).toMatchObject({ ok: true, what_to_do: null });
});

test("a program that answers no calls has no connections for them", async () => {
  await using opened = new AsyncDisposableStack();
  const { db } = await openServices(settings, { program: "worker", log }, opened);
  expect([db.pool.options.max, db.tenantPool]).toEqual([7, undefined]);
  expect(() => db.forOrganization("org_nobody")).toThrow("without connections for calls");
});

test("if the user cannot have the role, the check says what to run", async () => {
  const { url } = database;
  const db = openDatabase({ url, poolMax: 2, tenants: "unrestricted", role: "dari_app", applicationName: "dari-test" });
  try {
    const told = await verdict({ ...control, db });
    expect(told).toMatchObject({ ok: false, found: expect.stringContaining("without row-level security") });
    expect(told?.what_to_do).toContain(`grant dari_tenant to "${new URL(url).username}"`);
  } finally {
    await db.close();
  }
});
