// Reconcilers send events to webhooks, each event once however many reconcilers there are.

import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createControl, openServices, serviceSettings, type Services } from "@dari/control/assembly";
import type { Control } from "@dari/control/context";
import { createPlatformMetrics } from "@dari/control/operations";
import { createWebhookEndpoint } from "@dari/control/outbound";
import { createLogger, readConfig } from "@dari/runtime";
import { turns } from "@dari/db";
import {
  createTestAgent,
  createTestDatabase,
  createTestMessage,
  createTestOrganization,
  createTestSession,
  waitUntil,
} from "@dari/testkit";
import { startReconciler } from "../src/index.ts";

const stack = new AsyncDisposableStack();
const metrics = createPlatformMetrics({ parts: ["reconciler"], byOrganization: false });
const log = createLogger({ name: "reconciler", level: "silent", observe: metrics.observe });
const received: string[] = [];
let services: Services;
let control: Control;
let url: string;

beforeAll(async () => {
  const server = createServer((request, response) => {
    received.push(String(request.headers["webhook-id"]));
    response.writeHead(204).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stack.defer(() => void server.close());
  const { port } = server.address() as AddressInfo;
  url = `http://127.0.0.1:${port}/`;
  const database = stack.adopt(await createTestDatabase(), (opened) => opened.close());
  const dir = mkdtempSync(join(tmpdir(), "dari-reconciler-"));
  stack.defer(() => rmSync(dir, { recursive: true, force: true }));
  const settings = readConfig(serviceSettings, {
    DATABASE_URL: database.url,
    DARI_BLOBS_DIR: dir,
    DARI_MASTER_KEY: randomBytes(32).toString("base64"),
    DARI_WEBHOOK_ALLOW: `127.0.0.1:${port}`,
  });
  services = await openServices(settings, { program: "reconciler", log }, stack);
  control = createControl(services, settings, "http://127.0.0.1");
});

afterAll(() => stack.disposeAsync());

test("two reconcilers tell of each event once; the metrics say so", async () => {
  const { organizationId, keyId } = await createTestOrganization(services.db);
  const { agentId } = await createTestAgent(services.db, organizationId);
  await createWebhookEndpoint(control, { organizationId, keyId, scopes: ["admin"] }, { url });
  metrics.watchSchedule(services);
  for (let program = 0; program < 2; program += 1) {
    const reconciler = startReconciler(services, { leaseMs: 3_000, reapEveryMs: 1_000 }, log);
    expect(Object.keys(reconciler.checks)).toEqual(expect.arrayContaining(["webhooks", "sweep-webhooks"]));
    stack.defer(() => reconciler.stop());
  }
  for (let n = 0; n < 12; n += 1) {
    const sessionId = await createTestSession(services.db, organizationId, agentId);
    const messageId = await createTestMessage(services.db, organizationId, sessionId);
    await turns.cancelMessageOf(services.db, organizationId, messageId);
  }
  const delivered = async () => {
    const { rows } = await services.db.pool.query("select 1 from webhook_deliveries where state = 'delivered'");
    return rows.length === 12;
  };
  await waitUntil(delivered, { what: "all to be delivered", timeoutMs: 30_000 });
  expect(received).toHaveLength(12);
  expect(new Set(received).size).toBe(12);
  const page = await metrics.read();
  expect(page).toContain('dari_webhook_attempts_total{outcome="delivered"} 12');
  for (const gauge of ["dari_webhook_pending", "dari_webhook_overdue_seconds", "dari_webhook_notes"]) {
    expect(page).toContain(`\n${gauge} 0\n`);
  }
}, 60_000);
