// A cluster on services of its own, durable as in production, whose workers can be killed. Used by the chaos programs.

import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { migrate, openDatabase, type Database } from "@dari/db";
import { freePort, startPostgres, startRedis } from "@dari/embedded";
import { createTestOrganization } from "@dari/testkit";
import { machineEnvironment } from "../config.ts";
import { startProgram, type Program } from "../program.ts";

export interface ClusterOptions {
  readonly workers: number;
  readonly slots: number;
  readonly leaseMs: number;
  readonly delivery: "queue" | "pull";
}

export interface Cluster extends AsyncDisposable {
  readonly apiUrl: string;
  readonly apiKey: string;
  readonly db: Database;
  /** Those that run now. */
  readonly workers: Program[];
  /** kill -9, and another in its place. */
  replaceWorker(index: number): Promise<void>;
}

export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  await using starting = new AsyncDisposableStack();
  const dir = await mkdtemp(path.join(tmpdir(), "dari-chaos-"));
  starting.defer(() => rm(dir, { recursive: true, force: true }));
  const { env, db, apiKey, apiUrl } = await prepare(dir, options, starting);
  let started = 0;
  const startWorker = (): Promise<Program> => {
    const name = `worker-${started++}`;
    const own = { DARI_WORK_DIR: path.join(dir, name), DARI_WORKER_SLOTS: String(options.slots) };
    return launch(dir, "worker", { ...env, ...own }, name);
  };
  starting.use(await launch(dir, "api", env));
  starting.use(await launch(dir, "reconciler", env));
  const workers = await Promise.all(Array.from({ length: options.workers }, startWorker));
  for (const worker of workers) starting.use(worker);
  const stack = starting.move();
  return {
    apiUrl,
    apiKey,
    db,
    workers,
    async replaceWorker(index) {
      await workers[index]?.kill();
      workers[index] = stack.use(await startWorker());
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function prepare(
  dir: string,
  options: ClusterOptions,
  stack: AsyncDisposableStack,
): Promise<{ env: Record<string, string>; db: Database; apiKey: string; apiUrl: string }> {
  const postgres = stack.use(await startPostgres({ dataDir: path.join(dir, "postgres") }));
  const redis =
    options.delivery === "queue" ? stack.use(await startRedis({ dir: path.join(dir, "redis") })) : undefined;
  await migrate(postgres.url);
  const db = stack.adopt(
    openDatabase({ url: postgres.url, poolMax: 4, role: "dari_app", applicationName: "dari-lab" }),
    (opened) => opened.close(),
  );
  const { apiKey } = await createTestOrganization(db);
  const port = await freePort();
  const env = {
    ...machineEnvironment(),
    DATABASE_URL: postgres.url,
    DARI_DATABASE_POOL: "15",
    ...(redis === undefined ? {} : { REDIS_URL: redis.url }),
    DARI_BLOBS_DIR: path.join(dir, "objects"),
    DARI_MASTER_KEY: randomBytes(32).toString("base64"),
    DARI_LEASE_MS: String(options.leaseMs),
    DARI_PORT: String(port),
    DARI_MINIMUM_ISOLATION: "none",
    DARI_BACKOFF_FIRST_MS: "100",
  };
  return { env, db, apiKey, apiUrl: `http://127.0.0.1:${port}` };
}

function launch(
  dir: string,
  program: "api" | "worker" | "reconciler",
  env: Readonly<Record<string, string>>,
  name: string = program,
): Promise<Program> {
  const readyWhen = new RegExp(`${program}\\.started`);
  return startProgram({ name, entry: `apps/${program}/src/main.ts`, env, dir, readyWhen });
}
