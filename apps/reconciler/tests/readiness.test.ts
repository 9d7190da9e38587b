// The reconciler reports which of its loops has not succeeded recently.

import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mock } from "node:test";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { openServices, serviceSettings, type Services } from "@dari/control/assembly";
import { checkHealth, createLogger, readConfig } from "@dari/runtime";
import { createTestDatabase, findService, waitUntil } from "@dari/testkit";
import { startReconciler } from "../src/index.ts";

const stack = new AsyncDisposableStack();
const log = createLogger({ name: "reconciler", level: "silent" });
let services: Services;

beforeAll(async () => {
  const database = stack.adopt(await createTestDatabase(), (opened) => opened.close());
  const dir = mkdtempSync(join(tmpdir(), "dari-reconciler-"));
  stack.defer(() => rmSync(dir, { recursive: true, force: true }));
  const settings = readConfig(serviceSettings, {
    DATABASE_URL: database.url,
    REDIS_URL: findService("redis")?.url,
    DARI_QUEUE_PREFIX: `reconciler-${randomBytes(6).toString("hex")}`,
    DARI_BLOBS_DIR: dir,
    DARI_MASTER_KEY: randomBytes(32).toString("base64"),
  });
  services = await openServices(settings, { program: "reconciler", log }, stack);
});

afterAll(() => stack.disposeAsync());

test("every loop is its own check; a blocked one is named", async () => {
  const reconciler = startReconciler(services, { leaseMs: 3_000, reapEveryMs: 100 }, log);
  stack.defer(() => reconciler.stop());
  const names = ["dispatch", "reap", "settle-builds", "forget-workers", "sweep-idempotency-keys", "invariants"];
  expect(Object.keys(reconciler.checks)).toEqual(expect.arrayContaining(names));
  await waitUntil(async () => (await checkHealth(reconciler.checks)).ok, { what: "the first ticks" });
  const now = performance.now();
  // A little more than ten seconds without any work: the slow loops are not late yet.
  const clock = mock.method(performance, "now", () => now + 15_000);
  const late = await Promise.allSettled(Object.values(reconciler.checks).map((check) => check()));
  clock.mock.restore();
  const failing = Object.keys(reconciler.checks).filter((_name, index) => late[index]?.status === "rejected");
  expect(failing).toEqual(expect.arrayContaining(["dispatch", "reap"]));
  expect(failing).not.toContain("invariants");
});
