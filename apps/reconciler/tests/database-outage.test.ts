// The database is unreachable for longer than a lease, but its server does not restart: a network cut, or a failover.
// Live workers keep their turns, dead workers lose theirs.

import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { openServices, serviceSettings, type Services } from "@dari/control/assembly";
import { findViolations } from "@dari/control/operations";
import { claimTurn, renewClaims } from "@dari/control/turns";
import type { ClaimedTurn } from "@dari/db";
import { newId } from "@dari/domain";
import { createLogger, loop, readConfig } from "@dari/runtime";
import { createTestAgent, createTestDatabase, createTestMessage, createTestOrganization } from "@dari/testkit";
import { createTestSession, startFaultProxy, waitUntil, type FaultProxy, type TestDatabase } from "@dari/testkit";
import { startReconciler } from "../src/index.ts";

const leaseMs = 3_000;
const stack = new AsyncDisposableStack();
const log = createLogger({ name: "reconciler", level: "silent" });
let database: TestDatabase;
let proxy: FaultProxy;
/** Connected through the proxy. */
let services: Services;

beforeAll(async () => {
  database = stack.adopt(await createTestDatabase(), (opened) => opened.close());
  const url = new URL(database.url);
  proxy = stack.use(await startFaultProxy({ port: Number(url.port) }));
  url.port = String(proxy.port);
  const dir = mkdtempSync(join(tmpdir(), "dari-outage-"));
  stack.defer(() => rmSync(dir, { recursive: true, force: true }));
  const settings = readConfig(serviceSettings, {
    DATABASE_URL: url.href,
    DARI_BLOBS_DIR: dir,
    DARI_MASTER_KEY: randomBytes(32).toString("base64"),
    DARI_LEASE_MS: String(leaseMs),
  });
  services = await openServices(settings, { program: "reconciler", log }, stack);
});

afterAll(() => stack.disposeAsync());

test("leases of living workers outlive it; the dead one's is ended", async () => {
  const { organizationId } = await createTestOrganization(database.db);
  const { agentId } = await createTestAgent(database.db, organizationId);
  const claimed = async (): Promise<ClaimedTurn> => {
    const sessionId = await createTestSession(database.db, organizationId, agentId);
    await createTestMessage(database.db, organizationId, sessionId);
    const claimant = { workerId: newId("worker"), leaseMs, guarantees: {} };
    const claim = await claimTurn(database.db, { sessionId, dispatchNumber: 1 }, claimant);
    if (claim.outcome !== "claimed") throw new Error(claim.outcome);
    return claim.turn;
  };
  const outcomeOf = async ({ attemptId }: ClaimedTurn): Promise<unknown> =>
    (await database.db.pool.query("select outcome from attempts where id = $1", [attemptId])).rows[0]?.outcome;
  const hasRunOut = async ({ sessionId }: ClaimedTurn): Promise<boolean> => {
    const runOut = "select 1 from sessions where id = $1 and lease_until < clock_timestamp()";
    return (await database.db.pool.query(runOut, [sessionId])).rows.length === 1;
  };

  const reconciler = startReconciler(services, { leaseMs, reapEveryMs: 100 }, log);
  stack.defer(() => reconciler.stop());
  const [alive, dead] = [await claimed(), await claimed()];
  const stopping = new AbortController();
  const renewal = loop({
    name: "renew",
    everyMs: leaseMs / 3,
    signal: stopping.signal,
    log,
    runOnce: () => renewClaims(services.db, [alive], leaseMs),
  });
  await waitUntil(() => renewal.stats().runs > 0, { what: "the first renewal" });

  proxy.refuse();
  await waitUntil(async () => (await hasRunOut(alive)) && (await hasRunOut(dead)), { what: "both leases to run out" });
  proxy.forward();

  await waitUntil(async () => (await outcomeOf(dead)) === "lost", {
    what: "the dead one to be ended",
    timeoutMs: 20_000,
  });
  expect(await outcomeOf(alive)).toBeNull();
  expect(await hasRunOut(alive)).toBe(false);
  stopping.abort();
  await renewal.done;
  await waitUntil(async () => (await outcomeOf(alive)) === "lost", { what: "the other", timeoutMs: 20_000 });
  expect(await findViolations(database.db)).toEqual([]);
});
