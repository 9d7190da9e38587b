// A real fleet for end-to-end tests: API, workers and reconciler as separate processes, on the real services of the
// test run, with a separate database, queue prefix and object keys. Tests use only HTTP; they access the database only
// for what clients cannot see.

import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient, type Client } from "@dari/client";
import { readEvents } from "@dari/control/turns";
import { findViolations, type Database, type Violation } from "@dari/db";
import { freePort } from "@dari/embedded";
import {
  createTestDatabase,
  createTestOrganization,
  requireService,
  testStoreKind,
  type Services,
  type TestDatabase,
} from "@dari/testkit";
import { findUndescribedEvents } from "@dari/testkit/events";
import { machineEnvironment } from "./config.ts";
import { processesMarked } from "./processes.ts";
import { startProgram, type Program } from "./program.ts";
import { removeDirectory } from "./remove-directory.ts";
import { rendezvousEndpoint } from "./rendezvous.ts";

export interface FleetOptions {
  /** Absent if workers pull from the database. */
  readonly redisUrl?: string | undefined;
  /** Absent: objects in a directory, or where DARI_TEST_STORE says. */
  readonly s3?: Services["s3"] | undefined;
  /** Default: 1. */
  readonly workers?: number;
  /** For every program; overrides the fleet's own settings. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whether each program serves its metrics on its own port. */
  readonly metrics?: boolean;
}

export interface FleetWorker extends Program {
  readonly workDir: string;
}

/** What a fleet must not leave behind: each list is empty. */
export interface FleetRemains {
  readonly violations: readonly Violation[];
  /** Stored events that the contract does not describe. */
  readonly undescribedEvents: readonly string[];
  /** Directories of attempts and builds. */
  readonly directories: readonly string[];
  readonly processes: readonly string[];
  /** Workers that did not shut down properly. */
  readonly badEnds: readonly string[];
}

export const noRemains: FleetRemains = {
  violations: [],
  undescribedEvents: [],
  directories: [],
  processes: [],
  badEnds: [],
};

export interface Fleet {
  readonly dir: string;
  readonly db: Database;
  readonly queuePrefix: string;
  readonly apiUrl: string;
  readonly apiKey: string;
  readonly organizationId: string;
  readonly client: Client;
  readonly api: Program;
  readonly reconciler: Program;
  /** The metrics address of every program that was started; empty if the fleet has no metrics. */
  readonly metricsUrls: readonly string[];
  /** All started workers, including dead ones. */
  readonly workers: readonly FleetWorker[];
  /** Starts another worker with empty caches. `through`: a command that becomes the worker. */
  startWorker(env?: Readonly<Record<string, string>>, through?: readonly string[]): Promise<FleetWorker>;
  /** Ends everything and returns what was left. */
  close(): Promise<FleetRemains>;
}

/** Short, so that tests of lost workers and retries are fast. */
const quickSettings = {
  ...{ DARI_LEASE_MS: "3000", DARI_BACKOFF_FIRST_MS: "100", DARI_SHUTDOWN_GRACE_MS: "10000" },
  // Few, so that the workers of a fleet share its turns.
  DARI_WORKER_SLOTS: "4",
};

export async function startFleet(options: FleetOptions = {}): Promise<Fleet> {
  await using starting = new AsyncDisposableStack();
  const dir = mkdtempSync(join(tmpdir(), "dari-fleet-"));
  // Agents may run as other users, who must be able to enter their directories.
  chmodSync(dir, 0o711);
  starting.defer(() => removeDirectory(dir));
  const database = starting.adopt(await createTestDatabase(), (opened) => opened.close());
  const place = placeOf(dir, database, options);
  const port = await freePort();
  const apiUrl = `http://127.0.0.1:${port}`;
  const { organizationId, apiKey } = await createTestOrganization(database.db);
  const workers: FleetWorker[] = [];
  const metricsUrls: string[] = [];
  const health = async (): Promise<Record<string, string>> => {
    if (options.metrics !== true) return {};
    const healthPort = await freePort();
    metricsUrls.push(`http://127.0.0.1:${healthPort}/metrics`);
    return { DARI_HEALTH_PORT: String(healthPort) };
  };
  let numbered = 0;
  const addWorker = async (
    owner: AsyncDisposableStack,
    env: Readonly<Record<string, string>>,
    through?: readonly string[],
  ): Promise<FleetWorker> => {
    numbered += 1;
    const name = `worker-${numbered}`;
    const worker = owner.use(await launchWorker(place, name, { ...(await health()), ...env }, through));
    workers.push(worker);
    return worker;
  };
  const apiStart = launch(place, "api", /api\.started/, { DARI_PORT: String(port), ...(await health()) });
  const reconcilerStart = launch(place, "reconciler", /reconciler\.started/, await health());
  const workerStarts = Array.from({ length: options.workers ?? 1 }, () => addWorker(starting, {}));
  const starts = [...workerStarts, ...[apiStart, reconcilerStart].map(async (one) => starting.use(await one))];
  // Start all of them first, so that the stack ends those that did start.
  await Promise.allSettled(starts);
  await Promise.all(starts);
  const [api, reconciler] = [await apiStart, await reconcilerStart];
  const stack = starting.move();
  return {
    dir,
    db: database.db,
    queuePrefix: place.queuePrefix,
    apiUrl,
    apiKey,
    organizationId,
    client: createClient({ apiUrl, apiKey }),
    api,
    reconciler,
    metricsUrls,
    workers,
    startWorker: (env = {}, through) => addWorker(stack, env, through),
    async close() {
      try {
        return await endFleet({ dir, database, programs: [...workers, reconciler, api] });
      } finally {
        await stack.disposeAsync();
      }
    },
  };
}

interface Place {
  readonly dir: string;
  readonly queuePrefix: string;
  readonly env: Readonly<Record<string, string>>;
}

function placeOf(dir: string, database: TestDatabase, { redisUrl, s3, env }: FleetOptions): Place {
  const name = randomBytes(6).toString("hex");
  const queuePrefix = `fleet-${name}`;
  const store = s3 ?? (testStoreKind() === "s3" ? requireService("s3") : undefined);
  return {
    dir,
    queuePrefix,
    env: {
      ...machineEnvironment(),
      ...quickSettings,
      DARI_EGRESS_ALLOW: rendezvousEndpoint,
      DATABASE_URL: database.url,
      DARI_MASTER_KEY: randomBytes(32).toString("base64"),
      DARI_QUEUE_PREFIX: queuePrefix,
      ...(redisUrl === undefined ? {} : { REDIS_URL: redisUrl }),
      ...(store === undefined ? { DARI_BLOBS_DIR: join(dir, "objects") } : s3Environment(store, `fleet-${name}`)),
      ...env,
    },
  };
}

/** Returns the environment for a separate bucket, which the first program creates. */
function s3Environment(s3: Services["s3"], bucket: string): Record<string, string> {
  return {
    S3_ENDPOINT: s3.endpoint,
    S3_REGION: s3.region,
    S3_BUCKET: bucket,
    S3_ACCESS_KEY_ID: s3.accessKeyId,
    S3_SECRET_ACCESS_KEY: s3.secretAccessKey,
    S3_FORCE_PATH_STYLE: String(s3.forcePathStyle),
  };
}

function launch(
  place: Place,
  program: "api" | "worker" | "reconciler",
  readyWhen: RegExp,
  env: Readonly<Record<string, string>> = {},
  name: string = program,
  through?: readonly string[],
): Promise<Program> {
  return startProgram({
    name,
    through,
    entry: `apps/${program}/src/main.ts`,
    env: { ...place.env, ...env },
    dir: place.dir,
    readyWhen,
  });
}

async function launchWorker(
  place: Place,
  name: string,
  env: Readonly<Record<string, string>>,
  through?: readonly string[],
): Promise<FleetWorker> {
  const workDir = join(place.dir, name);
  // Agents of tests are ours, so a machine without isolation still runs the tests.
  const settings = { DARI_WORK_DIR: workDir, DARI_MINIMUM_ISOLATION: "none", ...env };
  const program = await launch(place, "worker", /worker\.started/, settings, name, through);
  return Object.defineProperty(program, "workDir", { value: workDir, enumerable: true }) as FleetWorker;
}

async function endFleet(ending: {
  readonly dir: string;
  readonly database: TestDatabase;
  readonly programs: readonly Program[];
}): Promise<FleetRemains> {
  const badEnds: string[] = [];
  const living = ending.programs.filter((program) => program.isRunning);
  // A failed test may have left one stopped, which would not react to other signals.
  for (const program of living) program.signal("SIGCONT");
  const ends = await Promise.allSettled(living.map((program) => program.stop()));
  for (const [index, end] of ends.entries()) {
    const program = living[index]!;
    if (end.status === "rejected") badEnds.push(String(end.reason));
    else if (end.value.code !== 0) {
      badEnds.push(`${program.name}: ${JSON.stringify(end.value)}\n${program.readLog().slice(-1_000)}`);
    }
  }
  return {
    violations: await findViolations(ending.database.db),
    undescribedEvents: await findUndescribedEvents(ending.database.db, readEvents),
    directories: ending.programs
      .filter((program) => !program.wasKilled)
      .flatMap((program) => attemptDirectories(join(ending.dir, program.name))),
    processes: processesMarked(ending.dir),
    badEnds,
  };
}

/** Returns the non-empty directories of turns and builds, whether they run or were left behind. */
export function attemptDirectories(workDir: string): string[] {
  const turns = join(workDir, "turns");
  if (!existsSync(turns)) return [];
  return readdirSync(turns)
    .map((name) => join(turns, name))
    .filter((dir) => readdirSync(dir).length > 0);
}
