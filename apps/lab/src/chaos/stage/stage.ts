// A whole platform on its own services, every part of which can be hurt: two APIs, workers, two reconcilers, Redis,
// Postgres, and a proxy on every connection between them. The run accesses the database directly.

import { randomBytes } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { migrate, openDatabase, type Database } from "@dari/db";
import { freePort } from "@dari/embedded";
import { edgeGuardSql, startFaultProxy, waitUntil, type FaultProxy } from "@dari/testkit";
import { machineEnvironment } from "../../config.ts";
import { removeDirectory } from "../../remove-directory.ts";
import { chaosAgent, isolatedChaosAgent } from "../load/agent.ts";
import { startEffectsServer, type EffectsServer } from "./effects.ts";
import { startStageProgram, type Kind, type StageProgram } from "./stage-program.ts";
import { startPostgresServer, type PostgresServer } from "./postgres.ts";
import { startRedisServer, type RedisServer } from "../../redis-server.ts";

export interface ApiProgram extends StageProgram {
  /** Between the clients and this API. */
  readonly front: FaultProxy;
  readonly url: string;
}

export interface Stage extends AsyncDisposable {
  readonly dir: string;
  readonly delivery: "queue" | "pull";
  /** Returns an agent that reports to `effectsFile` what it does. */
  agentFiles(effectsFile: string): Record<string, string>;
  readonly postgres: PostgresServer;
  readonly redis: RedisServer;
  readonly db: Database;
  /** Returns the rows of a query. Retries while the database is unavailable, because mixed runs combine faults. */
  ask<T extends object>(query: string, values?: readonly unknown[]): Promise<T[]>;
  readonly apis: readonly ApiProgram[];
  readonly workers: readonly StageProgram[];
  readonly reconcilers: readonly StageProgram[];
  readonly programs: readonly StageProgram[];
}

export const timing = { leaseMs: 3_000, reapMs: 500, graceMs: 2_000, backoffMs: 100 } as const;
export const queuePrefix = "chaos";

export interface StageOptions {
  readonly workers: number;
  readonly slots: number;
  /** pull: no program gets the address of Redis. */
  readonly delivery: "queue" | "pull";
  /** Whether agents run in this machine's sandbox, preloaded (default: as plain processes, which start at once). */
  readonly isIsolated?: boolean;
}

export async function startStage(options: StageOptions): Promise<Stage> {
  await using starting = new AsyncDisposableStack();
  const dir = mkdtempSync(path.join(tmpdir(), "dari-chaos-"));
  starting.defer(() => removeDirectory(dir));
  const postgres = starting.use(await startPostgresServer(path.join(dir, "postgres")));
  const redis = starting.use(await startRedisServer(path.join(dir, "redis")));
  await migrate(postgres.url);
  const db = starting.adopt(openDatabase({ url: postgres.url, poolMax: 8, applicationName: "dari-lab" }), (opened) =>
    opened.close(),
  );
  await db.pool.query(edgeGuardSql());
  const { delivery } = options;
  const effects = options.isIsolated === true ? starting.use(await startEffectsServer()) : undefined;
  const place = { dir, postgres, redis, delivery, env: { ...commonEnvironment(dir), ...sandboxOf(effects) } };
  const add = async (kind: Kind, name: string, env: Record<string, string>): Promise<StageProgram> =>
    starting.use(await startStageProgram({ ...place, kind, name, env: { ...place.env, ...env } }));
  const workerEnv = (name: string): Record<string, string> => ({
    DARI_WORK_DIR: path.join(dir, name),
    DARI_WORKER_SLOTS: String(options.slots),
  });
  const names = (kind: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${kind}-${i + 1}`);
  const [apis, workers, reconcilers] = await Promise.all([
    Promise.all(names("api", 2).map((name) => addApi(name, add, starting))),
    Promise.all(names("worker", options.workers).map((name) => add("worker", name, workerEnv(name)))),
    Promise.all(names("reconciler", 2).map((name) => add("reconciler", name, {}))),
  ]);
  const stack = starting.move();
  return {
    dir,
    delivery,
    agentFiles: (file) => (effects === undefined ? chaosAgent(file) : isolatedChaosAgent(effects.urlOf(file))),
    postgres,
    redis,
    db,
    ask: (query, values = []) => askPatiently(db, query, values),
    apis,
    workers,
    reconcilers,
    programs: [...apis, ...workers, ...reconcilers],
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const askWithinMs = 120_000;

async function askPatiently<T extends object>(db: Database, query: string, values: readonly unknown[]): Promise<T[]> {
  const ask = async (): Promise<T[]> => (await db.pool.query<T>(query, [...values])).rows;
  return waitUntil(ask, { what: "the database to answer", timeoutMs: askWithinMs });
}

async function addApi(
  name: string,
  add: (kind: Kind, name: string, env: Record<string, string>) => Promise<StageProgram>,
  stack: AsyncDisposableStack,
): Promise<ApiProgram> {
  const port = await freePort();
  const front = stack.use(await startFaultProxy({ port }));
  const url = `http://127.0.0.1:${front.port}`;
  const stageProgram = await add("api", name, { DARI_PORT: String(port), DARI_PUBLIC_URL: url });
  return Object.defineProperties(stageProgram, {
    front: { value: front, enumerable: true },
    url: { value: url, enumerable: true },
  }) as ApiProgram;
}

function commonEnvironment(dir: string): Record<string, string> {
  return {
    ...machineEnvironment(),
    DARI_DATABASE_POOL: "12",
    DARI_QUEUE_PREFIX: queuePrefix,
    DARI_BLOBS_DIR: path.join(dir, "objects"),
    DARI_MASTER_KEY: randomBytes(32).toString("base64"),
    DARI_LEASE_MS: String(timing.leaseMs),
    DARI_REAP_EVERY_MS: String(timing.reapMs),
    DARI_SHUTDOWN_GRACE_MS: String(timing.graceMs),
    DARI_BACKOFF_FIRST_MS: String(timing.backoffMs),
    DARI_TURN_MEMORY_BYTES: String(1024 ** 3),
  };
}

function sandboxOf(effects: EffectsServer | undefined): Record<string, string> {
  if (effects === undefined) return { DARI_SANDBOX: "process", DARI_MINIMUM_ISOLATION: "none" };
  return { DARI_MINIMUM_ISOLATION: "watched", DARI_EGRESS_ALLOW: effects.endpoint };
}
