// Reconcilers fire schedules, each due time once however many reconcilers there are.

import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { openServices, serviceSettings, type Services } from "@dari/control/assembly";
import { createPlatformMetrics } from "@dari/control/operations";
import { createLogger, readConfig } from "@dari/runtime";
import {
  createTestAgent,
  createTestDatabase,
  createTestOrganization,
  createTestSchedule,
  waitUntil,
} from "@dari/testkit";
import { startReconciler } from "../src/index.ts";

const stack = new AsyncDisposableStack();
const metrics = createPlatformMetrics({ parts: ["reconciler"], byOrganization: false });
const log = createLogger({ name: "reconciler", level: "silent", observe: metrics.observe });
let services: Services;

beforeAll(async () => {
  const database = stack.adopt(await createTestDatabase(), (opened) => opened.close());
  const dir = mkdtempSync(join(tmpdir(), "dari-reconciler-"));
  stack.defer(() => rmSync(dir, { recursive: true, force: true }));
  const settings = readConfig(serviceSettings, {
    DATABASE_URL: database.url,
    DARI_BLOBS_DIR: dir,
    DARI_MASTER_KEY: randomBytes(32).toString("base64"),
  });
  services = await openServices(settings, { program: "reconciler", log }, stack);
});
afterAll(() => stack.disposeAsync());

test("two reconcilers fire each due time once, and count it", async () => {
  const { organizationId } = await createTestOrganization(services.db);
  const { agentId } = await createTestAgent(services.db, organizationId);
  const ids: string[] = [];
  for (let n = 0; n < 5; n += 1) ids.push(await createTestSchedule(services.db, organizationId, agentId));
  const options = { leaseMs: 3_000, reapEveryMs: 1_000 };
  const reconcilers = [startReconciler(services, options, log), startReconciler(services, options, log)];
  try {
    await services.db.pool.query(
      `update schedules set status = 'active', paused_reason = null, next_due_at = clock_timestamp(),
        cron = '0 0 1 1 *' where id = any ($1)`,
      [ids],
    );
    const outcomes = async () =>
      (await services.db.pool.query<{ outcome: string }>("select outcome from schedule_firings")).rows;
    await waitUntil(async () => (await outcomes()).length === ids.length, { what: "the firings" });
    const counted = /^dari_schedule_firings_total\{outcome="fired"\} 5$/m;
    await waitUntil(async () => counted.test(await metrics.read()), { what: "the counter" });
    expect(await outcomes()).toEqual(ids.map(() => ({ outcome: "fired" })));
    const sent = await services.db.pool.query<{ n: number }>("select count(*)::int as n from messages");
    expect(sent.rows).toEqual([{ n: 5 }]);
  } finally {
    for (const reconciler of reconcilers) await reconciler.stop();
  }
});
