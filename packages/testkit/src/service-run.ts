// The services of one test run: given ones, or started ones. Started servers are recorded, so that the next run can end
// those of a killed run.

import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  endProcess,
  findRedisServer,
  identifyProcess,
  identifySelf,
  isSameProcessAlive,
  readStateFile,
  startPostgres,
  startRedis,
  writeStateFile,
  type ProcessIdentity,
} from "@dari/embedded";
import { findChromium } from "./find-chromium.ts";
import { findS3Server, startS3Server } from "./s3-server.ts";
import {
  givenServices,
  installAdvice,
  testStoreKind,
  type Environment,
  type ServiceName,
  type Services,
} from "./services.ts";
import { prepareTestStore } from "./store.ts";

export type FoundServices = { readonly [N in ServiceName]: Services[N] | undefined };

export interface ServiceRun extends AsyncDisposable {
  readonly services: FoundServices;
}

interface RunNote {
  readonly runner: ProcessIdentity;
  readonly servers: readonly ProcessIdentity[];
}

const dirPrefix = "dari-test-services-";
/** Hundreds of databases are created and dropped in a run: a file system in memory does that in a third of the time. */
const memoryDir = "/dev/shm";
const memoryBytesMin = 4 * 1024 ** 3;
const noteName = "run.json";
const isNote = (note: Partial<RunNote>): boolean => typeof note.runner === "object" && Array.isArray(note.servers);

/**
 *
 * Finds or starts every service. Throws if one that DARI_TEST_REQUIRE names (a comma-separated list) is not available.
 * Disposing stops the started ones and removes their files.
 *
 */
export async function startServiceRun(env: Environment): Promise<ServiceRun> {
  await clearAbandonedRuns();
  const dir = mkdtempSync(path.join(chooseParent(), dirPrefix));
  await using starting = new AsyncDisposableStack();
  starting.defer(() => rmSync(dir, { recursive: true, force: true }));
  const servers: ProcessIdentity[] = [];
  const writeNote = (): void => writeStateFile(path.join(dir, noteName), { runner: identifySelf(), servers });
  const note = (pid: number): void => {
    const identity = identifyProcess(pid);
    if (identity) servers.push(identity);
    writeNote();
  };
  writeNote();
  const place: Place = { dir, note, stack: starting };
  const services: FoundServices = {
    postgres: givenServices.postgres(env) ?? (await launchPostgres(place)),
    redis: givenServices.redis(env) ?? (await launchRedis(place)),
    s3: givenServices.s3(env) ?? (await launchS3(place)),
    chromium: givenServices.chromium(env) ?? lookForChromium(env),
  };
  assertRequired(services, env.DARI_TEST_REQUIRE ?? "");
  if (testStoreKind(env) === "s3") await prepareTestStore(services.s3);
  const stack = starting.move();
  return { services, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

function chooseParent(): string {
  try {
    accessSync(memoryDir, constants.W_OK);
    const { bavail, bsize } = statfsSync(memoryDir);
    return bavail * bsize < memoryBytesMin ? tmpdir() : memoryDir;
  } catch {
    return tmpdir();
  }
}

interface Place {
  readonly dir: string;
  /** Records a server that must not outlive the run. */
  readonly note: (pid: number) => void;
  readonly stack: AsyncDisposableStack;
}

async function launchPostgres({ dir, note, stack }: Place): Promise<Services["postgres"]> {
  const server = stack.use(await startPostgres({ dataDir: path.join(dir, "postgres"), fast: true }));
  note(server.pid);
  return { url: server.url };
}

async function launchRedis({ dir, note, stack }: Place): Promise<Services["redis"] | undefined> {
  const found = findRedisServer();
  if (!found) return undefined;
  const server = stack.use(await startRedis({ dir: path.join(dir, "redis"), server: found }));
  note(server.pid);
  return { url: server.url };
}

async function launchS3({ dir, note, stack }: Place): Promise<Services["s3"] | undefined> {
  const command = findS3Server();
  if (!command) return undefined;
  const s3Dir = path.join(dir, "s3");
  mkdirSync(s3Dir);
  const server = stack.use(await startS3Server(command, s3Dir));
  note(server.identity.pid);
  return server.connection;
}

function lookForChromium({ PATH = "" }: Environment): Services["chromium"] | undefined {
  const command = findChromium(PATH);
  return command === undefined ? undefined : { command };
}

function assertRequired(services: FoundServices, required: string): void {
  const names = required
    .split(",")
    .map((name) => name.trim())
    .filter(Boolean);
  for (const name of names) {
    if (!(name in services)) throw new Error(`DARI_TEST_REQUIRE names ${name}: known are ${Object.keys(services)}`);
    if (services[name as ServiceName]) continue;
    throw new Error(`DARI_TEST_REQUIRE names ${name}, which is missing: ${installAdvice[name as ServiceName]}`);
  }
}

/** Returns the runs on this machine that have recorded themselves, ended or not. */
export function listRuns(): { readonly dir: string; readonly note: RunNote }[] {
  const parents = [tmpdir(), memoryDir].filter((parent) => existsSync(parent));
  const dirs = parents.flatMap((parent) => readdirSync(parent).map((name) => path.join(parent, name)));
  return dirs.flatMap((dir) => {
    if (!path.basename(dir).startsWith(dirPrefix)) return [];
    const note = readStateFile<RunNote>(path.join(dir, noteName), isNote);
    return note ? [{ dir, note }] : [];
  });
}

/** Ends the servers of killed runs, and removes their files. */
async function clearAbandonedRuns(): Promise<void> {
  for (const { dir, note } of listRuns()) {
    if (isSameProcessAlive(note.runner)) continue;
    for (const server of note.servers) await endProcess(server, [{ signal: "SIGKILL", waitMs: 5_000 }]);
    rmSync(dir, { recursive: true, force: true });
  }
}
