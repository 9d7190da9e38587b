// A cluster of real processes on real services of its own, whose members can be killed. Used by the chaos programs.

import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { migrate, openDatabase, type Database } from "@dari/db";
import { freePort, startPostgres, startRedis, type EmbeddedRedis } from "@dari/embedded";
import { createTestOrganization, waitUntil } from "@dari/testkit";

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
  readonly redis: EmbeddedRedis | undefined;
  readonly workers: ChildProcess[];
  /** kill -9, and another in its place. */
  replaceWorker(index: number): void;
}

const apps = path.resolve(import.meta.dirname, "../../..");
const readyWithinMs = 60_000;

export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const stack = new AsyncDisposableStack();
  try {
    return await assemble(options, stack);
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

async function assemble(options: ClusterOptions, stack: AsyncDisposableStack): Promise<Cluster> {
  const dir = await mkdtemp(path.join(tmpdir(), "dari-chaos-"));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  const postgres = await startPostgres({ dataDir: path.join(dir, "postgres") });
  stack.defer(() => postgres.stop());
  const redis = options.delivery === "queue" ? await startRedis({ dir: path.join(dir, "redis") }) : undefined;
  if (redis !== undefined) stack.defer(() => redis.stop());
  await migrate(postgres.url);
  const db = stack.adopt(
    openDatabase({ url: postgres.url, poolMax: 4, role: "dari_app", applicationName: "dari-lab" }),
    (opened) => opened.close(),
  );
  const { apiKey } = await createTestOrganization(db);
  const port = await freePort();
  const environment = {
    DATABASE_URL: postgres.url,
    DARI_DATABASE_POOL: "15",
    ...(redis === undefined ? {} : { REDIS_URL: redis.url }),
    DARI_BLOBS_DIR: path.join(dir, "objects"),
    DARI_MASTER_KEY: randomBytes(32).toString("base64"),
    DARI_LEASE_MS: String(options.leaseMs),
    DARI_PORT: String(port),
    DARI_WORKER_SLOTS: String(options.slots),
    DARI_MINIMUM_ISOLATION: "none",
    DARI_BACKOFF_FIRST_MS: "100",
  };
  const start = (program: string, extra: Record<string, string> = {}): ChildProcess => {
    mkdirSync(path.join(dir, "logs"), { recursive: true });
    const log = openSync(path.join(dir, "logs", `${program}.log`), "a");
    const child = spawn(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", path.join(apps, program, "src/main.ts")],
      {
        env: { PATH: process.env["PATH"], HOME: dir, ...environment, ...extra },
        stdio: ["ignore", log, log],
      },
    );
    closeSync(log);
    return child;
  };
  let workDirs = 0;
  const startWorker = (): ChildProcess => start("worker", { DARI_WORK_DIR: path.join(dir, `work-${workDirs++}`) });

  const others = [start("api"), start("reconciler")];
  const workers = Array.from({ length: options.workers }, startWorker);
  stack.defer(async () => {
    await Promise.all([...others, ...workers].map((child) => end(child)));
  });
  const apiUrl = `http://127.0.0.1:${port}`;
  await waitUntil(async () => (await fetch(`${apiUrl}/healthz`).catch(() => undefined))?.ok === true, {
    what: `the API to answer; see the logs in ${dir}/logs`,
    timeoutMs: readyWithinMs,
  });
  return {
    apiUrl,
    apiKey,
    db,
    redis,
    workers,
    replaceWorker(index) {
      workers[index]?.kill("SIGKILL");
      workers[index] = startWorker();
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("close", resolve));
  child.kill("SIGKILL");
  await ended;
}
