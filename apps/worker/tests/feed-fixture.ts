// A worker's feeds on real services, with turns that a test controls instead of an agent.

import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createControl,
  openServices,
  openTurnSourceIfQueued,
  serviceSettings,
  type Services,
} from "@dari/control/assembly";
import type { Control } from "@dari/control/context";
import { promoteJob, retryJob } from "@dari/control/operations";
import { createWorkerLook, finishTurn } from "@dari/control/turns";
import { workers, type ClaimedTurn, type Database } from "@dari/db";
import { failure, limits, newId } from "@dari/domain";
import type { TurnQueue, TurnSource } from "@dari/queue";
import { createLogger, loop, readConfig } from "@dari/runtime";
import { createTestAgent, createTestDatabase, createTestMessage, createTestOrganization } from "@dari/testkit";
import { createTestSession, requireService, startFaultProxy, waitUntil, type FaultProxy } from "@dari/testkit";
import { createGate, type Gate } from "../src/capacity/gate.ts";
import { startTurnFeed } from "../src/feeds/turn-feed.ts";
import type { TurnFeedParts, TurnRun } from "../src/feeds/turn-feed-parts.ts";
import { toRetrySettlement } from "../src/feeds/settle-retry.ts";

export interface FeedScene extends AsyncDisposable {
  readonly db: Database;
  readonly services: Services;
  readonly control: Control;
  readonly queue: TurnQueue;
  readonly source: TurnSource;
  readonly gate: Gate;
  /** Between all programs and Redis. */
  readonly proxy: FaultProxy;
  readonly queuePrefix: string;
  readonly organizationId: string;
  /** Messages whose turns have run, in order. */
  readonly ran: readonly string[];
  /** Why the worker has given up, each time. */
  readonly gaveUp: readonly string[];
  /** Ends the turn as failed. */
  run(turn: ClaimedTurn): Promise<TurnRun>;
  /** Creates a session with a message that is dispatched and has no job. */
  message(): Promise<{ sessionId: string; messageId: string }>;
  /** Adds a job for a dispatched message. */
  deliver(message: { sessionId: string; messageId: string }): Promise<void>;
  /** Starts the feeds; `parts` replace the fixture's own. */
  start(parts?: Partial<TurnFeedParts>): void;
}

export async function openFeedScene(): Promise<FeedScene> {
  await using opening = new AsyncDisposableStack();
  const database = opening.adopt(await createTestDatabase(), (opened) => opened.close());
  const redisUrl = new URL(requireService("redis").url);
  const proxy = opening.use(await startFaultProxy({ port: Number(redisUrl.port) }));
  redisUrl.port = String(proxy.port);
  const dir = mkdtempSync(join(tmpdir(), "dari-feed-"));
  opening.defer(() => rmSync(dir, { recursive: true, force: true }));
  const queuePrefix = `feed-${randomBytes(6).toString("hex")}`;
  const settings = readConfig(serviceSettings, {
    DATABASE_URL: database.url,
    REDIS_URL: redisUrl.href,
    DARI_QUEUE_PREFIX: queuePrefix,
    DARI_BLOBS_DIR: dir,
    DARI_MASTER_KEY: randomBytes(32).toString("base64"),
    DARI_LEASE_MS: "3000",
  });
  const log = createLogger({ name: "feed", level: "silent" });
  const services = await openServices(settings, { program: "feed", log }, opening);
  const { db, queue } = services;
  const source = openTurnSourceIfQueued(settings);
  if (queue === undefined || source === undefined) throw new Error("no queue");
  const control = createControl(services, settings, "");
  const { organizationId } = await createTestOrganization(db);
  const { agentId } = await createTestAgent(db, organizationId);
  // Hold the lead of the dispatch, because otherwise workers also pull.
  const runOnce = (): Promise<boolean> => workers.leadIfFree(db, "dispatcher", "test", 60_000);
  await runOnce();
  opening.use(loop({ name: "lead", everyMs: 100, signal: new AbortController().signal, log, runOnce }));
  const gate = createGate({ slots: 2, startsMax: 2 });
  const [ran, gaveUp]: [string[], string[]] = [[], []];
  const run = async (turn: ClaimedTurn): Promise<TurnRun> => {
    await finishTurn(services, turn, organizationId, { ending: "failed", failure: failure("agent_error") });
    ran.push(turn.messageId);
    return { settlement: { kind: "failed", reason: "agent_error" }, released: Promise.resolve() };
  };
  opening.defer(() => source.close());
  await waitUntil(() => queue.available, { what: "the queue's connection" });
  const stack = opening.move();
  return {
    ...{ db, services, control, queue, source, gate, proxy, queuePrefix, organizationId, ran, gaveUp, run },
    async message() {
      const sessionId = await createTestSession(db, organizationId, agentId);
      const messageId = await createTestMessage(db, organizationId, sessionId);
      const dispatched = "update sessions set lease_until = clock_timestamp() + $2 * interval '1 ms' where id = $1";
      await db.pool.query(dispatched, [sessionId, limits.dispatchTtlMs]);
      return { sessionId, messageId };
    },
    deliver: ({ sessionId, messageId }) =>
      queue.deliver([{ organizationId, sessionId, messageId, dispatchNumber: 1, attemptsLeft: 3 }]),
    start(parts = {}) {
      const claimant = { workerId: newId("worker"), leaseMs: 3_000, guarantees: {} };
      const feed = startTurnFeed(
        { db, log, notifier: services.notifier, look: createWorkerLook(db), claimant },
        {
          ...{ gate, source, run },
          retry: async (ticket) => toRetrySettlement(await retryJob(control, ticket)),
          promote: (ticket) => promoteJob(control, ticket),
          giveUp: (reason) => void gaveUp.push(reason),
          checkEveryMs: 100,
          ...parts,
        },
      );
      stack.defer(async () => {
        gate.close();
        await feed.stop();
        await feed.close();
        await gate.emptied();
      });
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
