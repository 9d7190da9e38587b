// Redis loses its data: delayed turns have their jobs again at once, not only after the next repair.

import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { openServices, serviceSettings } from "@dari/control/assembly";
import { claimTurn, finishTurn } from "@dari/control/turns";
import { failure, newId } from "@dari/domain";
import { createLogger, readConfig } from "@dari/runtime";
import { createTestAgent, createTestDatabase, createTestMessage, createTestOrganization } from "@dari/testkit";
import { createTestSession, describeWith, waitUntil } from "@dari/testkit";
import { openBoard } from "../../../packages/queue/tests/board.ts";
import { startReconciler } from "../src/index.ts";

describeWith("redis", "a flush", ({ url: redisUrl }) => {
  test("a retry that waits has its job back within seconds", async () => {
    await using stack = new AsyncDisposableStack();
    const { db, url } = stack.adopt(await createTestDatabase(), (opened) => opened.close());
    const dir = mkdtempSync(join(tmpdir(), "dari-flush-"));
    stack.defer(() => rmSync(dir, { recursive: true, force: true }));
    const prefix = `flush-${randomBytes(6).toString("hex")}`;
    const settings = readConfig(serviceSettings, {
      DATABASE_URL: url,
      REDIS_URL: redisUrl,
      DARI_QUEUE_PREFIX: prefix,
      DARI_BLOBS_DIR: dir,
      DARI_MASTER_KEY: randomBytes(32).toString("base64"),
    });
    const log = createLogger({ name: "reconciler", level: "silent" });
    const services = await openServices(settings, { program: "reconciler", log }, stack);
    const board = stack.adopt(openBoard(redisUrl, prefix), (opened) => opened.close());

    const { organizationId } = await createTestOrganization(db);
    const { agentId } = await createTestAgent(db, organizationId);
    const sessionId = await createTestSession(db, organizationId, agentId);
    const messageId = await createTestMessage(db, organizationId, sessionId);
    const claimant = { workerId: newId("worker"), leaseMs: 60_000, guarantees: {} };
    const claim = await claimTurn(db, { sessionId, dispatchNumber: 1 }, claimant);
    if (claim.outcome !== "claimed") throw new Error(claim.outcome);
    const waiting = { ending: "retry", failure: failure("agent_error"), waitMs: 600_000 } as const;
    await finishTurn(services, claim.turn, organizationId, waiting);

    const reconciler = startReconciler(services, { leaseMs: 3_000, reapEveryMs: 100 }, log);
    stack.defer(() => reconciler.stop());
    const isDelayed = async (): Promise<boolean> => (await board.stateOf(`${messageId}.1`)) === "delayed";
    await waitUntil(isDelayed, { what: "the job", timeoutMs: 20_000 });
    for (let round = 0; round < 2; round++) {
      await board.flush();
      const lostAt = performance.now();
      await waitUntil(isDelayed, { what: "the job after the flush" });
      // The repair runs every five seconds.
      expect(performance.now() - lostAt).toBeLessThan(2_500);
    }
  });
});
