// Attaches to the PostgreSQL of a data directory, or starts it. Opens no connection.

import { closeSync, existsSync, openSync, readFileSync, renameSync, statSync } from "node:fs";
import path from "node:path";
import { endProcess } from "../end-process.ts";
import { endAtExit, cancelEndAtExit } from "../end-at-exit.ts";
import { freePort, isPortFree } from "../free-port.ts";
import { openOwnership, type Ownership } from "../server-ownership.ts";
import { poll } from "../poll.ts";
import { identifyProcess } from "../process-identity.ts";
import { initialDatabase, openCluster, superuser, type Cluster } from "./cluster.ts";
import { createLauncher, type Launcher, type LaunchMode } from "./launcher.ts";
import { findPostmaster, type Postmaster } from "./postmaster.ts";

export interface StartPostgresOptions {
  /** Kept between runs; created with mode 0700 if missing. */
  readonly dataDir: string;
  /** For tests: nothing is forced to disk, so a machine crash may lose or damage everything. */
  readonly fast?: boolean;
  /** Further server settings, each `name=value`, for measurements. Only a server that is started here gets them. */
  readonly settings?: readonly string[];
  /** Called about slow steps. */
  readonly log?: (text: string) => void;
  /** Forces a way to run, for tests. */
  readonly launchMode?: LaunchMode;
}

export interface EmbeddedPostgres extends AsyncDisposable {
  /** postgres://… of the superuser, including the password: wrap it before it can be logged. */
  readonly url: string;
  readonly port: number;
  readonly version: string;
  /** True if the server was already running. */
  readonly attached: boolean;
  readonly pid: number;
  /** The directory of its files: below the data directory, unless PostgreSQL's user cannot reach that. */
  readonly clusterDir: string;
  /** Stops the server (fast shutdown) if it was started here, or by a process that has died. Otherwise does nothing. */
  stop(): Promise<void>;
}

const startTimeoutMs = 120_000;
/** The meaning of these signals to PostgreSQL. After an immediate shutdown, the next start recovers. */
const fastShutdown = "SIGINT";
const immediateShutdown = "SIGQUIT";
const logBytesMax = 16 * 1024 * 1024;
/** Failures of a start that a retry can fix: a concurrent start, a port just taken, children of a killed server. */
const passing = /lock file "postmaster\.pid"|could not bind|could not create any TCP|pre-existing shared memory/;

/** Handles of this process per cluster: only the last one to stop stops the server. */
const openHandles = new Map<string, number>();

/** Returns a running server for `dataDir`: 1 s the first time, 0.1 s later, at once if it already runs. */
export async function startPostgres(options: StartPostgresOptions): Promise<EmbeddedPostgres> {
  const dataDir = path.resolve(options.dataDir);
  const launcher = createLauncher(dataDir, options.launchMode);
  if (!existsSync(path.join(launcher.home, "cluster"))) options.log?.("creating the PostgreSQL cluster");
  const cluster = await openCluster(launcher, { sync: !options.fast });
  const deadline = performance.now() + startTimeoutMs;
  let attached = true;
  for (;;) {
    const running = await attach(cluster, deadline);
    if (running) return handle({ running, attached, cluster, launcher });
    attached = false;
    const { fast = false, settings = [] } = options;
    await launch(launcher, cluster, { fast, settings, deadline });
  }
}

/** Returns the server once it is ready; undefined if none runs, or it has ended. */
async function attach(cluster: Cluster, deadline: number): Promise<Postmaster | undefined> {
  const found = await poll<Postmaster | "none">(
    () => {
      const postmaster = findPostmaster(cluster.dir);
      if (!postmaster) return "none";
      return postmaster.status === "ready" ? postmaster : undefined;
    },
    { timeoutMs: deadline - performance.now() },
  );
  if (!found) throw new Error(`PostgreSQL is not ready after ${startTimeoutMs / 1000} s. See ${cluster.logFile}`);
  return found === "none" ? undefined : found;
}

/** Children of a killed server can hold its port until they see that it has ended. Milliseconds. */
const portWaitMs = 1_000;

/** Returns the port of the last start, so that clients find the server again; undefined if another program has it. */
async function lastPort(cluster: Cluster): Promise<number | undefined> {
  const { port } = cluster.readState();
  if (port === undefined) return undefined;
  return await poll(async () => ((await isPortFree(port)) ? port : undefined), { timeoutMs: portWaitMs });
}

/** Tries once to start. Returns if the server is ready or a retry makes sense; otherwise throws. */
async function launch(
  launcher: Launcher,
  cluster: Cluster,
  {
    fast,
    settings,
    deadline,
  }: { readonly fast: boolean; readonly settings: readonly string[]; readonly deadline: number },
): Promise<void> {
  const port = (await lastPort(cluster)) ?? (await freePort());
  cluster.rememberPort(port);
  rotate(cluster.logFile);
  const log = openSync(cluster.logFile, "a", 0o600);
  launcher.own(cluster.logFile);
  const logStart = statSync(cluster.logFile).size;
  const child = launcher.spawn("postgres", serverArguments(cluster.dir, port, fast, settings), ["ignore", log, log]);
  closeSync(log);
  // Its own session and no pipe: it outlives a killed parent, and Ctrl-C in a terminal reaches only this process.
  child.unref();
  const identity = child.pid === undefined ? undefined : identifyProcess(child.pid);
  if (identity !== undefined) endAtExit(cluster.dir, { identity, signal: fastShutdown });
  let failure: Error | undefined;
  child.once("error", (error) => (failure = error));
  const outcome = await poll<"ready" | "ended">(
    () => {
      if (failure !== undefined || child.exitCode !== null || child.signalCode !== null) return "ended";
      const postmaster = findPostmaster(cluster.dir);
      return postmaster?.status === "ready" && postmaster.identity.pid === child.pid ? "ready" : undefined;
    },
    { timeoutMs: deadline - performance.now(), everyMs: 10 },
  );
  if (outcome === "ready") return;
  const text = readFileSync(cluster.logFile).subarray(logStart).toString().trim();
  if (outcome === "ended" && passing.test(text) && performance.now() < deadline) return;
  throw new Error(`PostgreSQL did not start (${cluster.logFile}):\n${text.slice(-2_000)}`, { cause: failure });
}

/**
 * For a server beside everything else on one machine, most of the time without work. The delays concern commits that
 * need not survive a crash (`synchronous_commit` is off for them), and when pages are written.
 */
const smallMachine = [
  "shared_buffers=64MB",
  "wal_writer_delay=1s",
  "bgwriter_delay=1s",
  "io_method=sync",
  "max_logical_replication_workers=0",
];

function serverArguments(dir: string, port: number, fast: boolean, more: readonly string[]): string[] {
  const settings = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=200",
    ...smallMachine,
    "log_checkpoints=off",
    "timezone=UTC",
    "log_timezone=UTC",
    ...(fast ? ["fsync=off", "full_page_writes=off", "synchronous_commit=off"] : []),
    ...more,
  ];
  return ["-D", dir, "-p", String(port), ...settings.flatMap((setting) => ["-c", setting])];
}

function rotate(logFile: string): void {
  if (existsSync(logFile) && statSync(logFile).size > logBytesMax) renameSync(logFile, `${logFile}.1`);
}

interface HandleParts {
  readonly running: Postmaster;
  readonly attached: boolean;
  readonly cluster: Cluster;
  readonly launcher: Launcher;
}

function handle({ running, attached, cluster, launcher }: HandleParts): EmbeddedPostgres {
  const ownership = openOwnership(launcher.home);
  if (ownership.claim()) endAtExit(cluster.dir, { identity: running.identity, signal: fastShutdown });
  else cancelEndAtExit(cluster.dir);
  openHandles.set(cluster.dir, (openHandles.get(cluster.dir) ?? 0) + 1);
  const { password } = cluster.readState();
  let stopped = false;
  const stop = async (): Promise<void> => {
    if (stopped) return;
    stopped = true;
    await release(cluster, ownership);
  };
  return {
    url: `postgres://${superuser}:${password}@127.0.0.1:${running.port}/${initialDatabase}`,
    port: running.port,
    version: launcher.version,
    attached,
    pid: running.identity.pid,
    clusterDir: cluster.dir,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function release(cluster: Cluster, ownership: Ownership): Promise<void> {
  const others = (openHandles.get(cluster.dir) ?? 1) - 1;
  openHandles.set(cluster.dir, others);
  if (others > 0 || !ownership.isOurs()) return;
  cancelEndAtExit(cluster.dir);
  const postmaster = findPostmaster(cluster.dir);
  if (!postmaster) return;
  await endProcess(postmaster.identity, [
    { signal: fastShutdown, waitMs: 20_000 },
    { signal: immediateShutdown, waitMs: 5_000 },
    { signal: "SIGKILL", waitMs: 5_000 },
  ]);
}
