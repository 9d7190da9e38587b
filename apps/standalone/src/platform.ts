// API, worker and reconciler in one process, on embedded services unless real ones are configured.

import { mkdir } from "node:fs/promises";
import path from "node:path";
import { readOidcSettings, startApi } from "@dari/api";
import { createControl, openServices, type ServiceSettings } from "@dari/control/assembly";
import type { Control } from "@dari/control/context";
import { createPlatformMetrics, createPlatformTraces, combineObservers } from "@dari/control/operations";
import { getAgent } from "@dari/control/publishing";
import { authenticateKey, createKeySignInLink } from "@dari/control/tenants";
import { getMessage } from "@dari/control/turns";
import { limits } from "@dari/domain";
import { findRedisServer, freePort, startPostgres, startRedis } from "@dari/embedded";
import { startReconciler } from "@dari/reconciler";
import { createLogger, openLogFile, serveHealth } from "@dari/runtime";
import { assembleWorker } from "@dari/worker";
import { plannedMb, toServiceSettings, type StandaloneConfig } from "./config.ts";
import {
  connectionFileOf,
  lockDataDir,
  readConnection,
  readOrCreateMasterKey,
  writeConnection,
  type Connection,
} from "./data-dir.ts";
import { describeMissing } from "./describe-missing.ts";
import { ensureAdminKey } from "./first-key.ts";
import { sayTurns, type TurnIds, type TurnNames } from "./turn-lines.ts";

export interface Platform {
  readonly connection: Connection;
  readonly connectionFile: string;
  /** Creates a link that signs a browser in with the key of `connection`, once, within ten minutes. */
  readonly createSignInLink: () => Promise<string>;
  readonly logFile: string;
  /** How turns reach the worker. */
  readonly delivery: string;
  readonly isolation: string;
  /** What agents lack on this machine: one sentence for each remedy. */
  readonly missing: readonly string[];
}

const loopbackHosts = new Set(["127.0.0.1", "::1", "localhost"]);

export interface StartOptions {
  readonly signal: AbortSignal;
  readonly stopNow: AbortSignal;
  /** Gets a line for each turn. Default: none are read. */
  readonly sayTurn?: (line: string) => void;
}

/**
 * Starts everything in order on the stack, which stops it in reverse. `say` gets a line for each slow step. Throws the
 * reason of `signal` when it aborts before the end; `stopNow` ends the waits of the stack's close.
 */
export async function startPlatform(
  config: StandaloneConfig,
  say: (text: string) => void,
  stack: AsyncDisposableStack,
  { signal, stopNow, sayTurn }: StartOptions,
): Promise<Platform> {
  const step = stepper(signal, say);
  stack.defer(await lockDataDir(config.dataDir));
  const { logFile, destination } = await openLog(config.dataDir, stack);
  const settings = await startServices(config, step, stack);
  const parts = ["api", "worker", "reconciler"] as const;
  const metrics = createPlatformMetrics({ parts, byOrganization: settings.metricsByOrganization });
  const traces = stack.adopt(await createPlatformTraces("standalone", settings.traces), (opened) => opened.close());
  let readNames = (_ids: TurnIds): Promise<TurnNames> => Promise.reject(new Error("not started"));
  const turns = sayTurn === undefined ? [] : [{ observe: sayTurns(sayTurn, (ids) => readNames(ids)) }];
  const observe = combineObservers(metrics, traces, ...turns);
  const log = createLogger({ name: "dari", level: settings.logLevel, destination, observe });

  step("opening the database and the object store");
  const services = await openServices(settings, { program: "standalone", log, answersCalls: true }, stack);
  metrics.watchServices(services);
  metrics.watchSchedule(services);
  const port = config.port === 0 ? await freePort() : config.port;
  const apiUrl = config.publicUrl ?? `http://${config.host.includes(":") ? `[${config.host}]` : config.host}:${port}`;
  const control = createControl(services, settings, apiUrl);
  readNames = (ids) => readTurnNames(control, ids);
  const reconciler = startReconciler(services, { leaseMs: settings.leaseMs, reapEveryMs: limits.reapEveryMs }, log);
  stack.defer(() => reconciler.stop());
  step("starting the worker");
  const worker = await assembleWorker(
    services,
    settings,
    {
      ...config,
      workDir: path.join(config.dataDir, "work"),
      minimumIsolation: config.minimumIsolation ?? (isLocalOnly(config) ? "none" : "isolated"),
      plannedMb,
      program: "npm start",
      allowNearestPython: true,
      environment: config.environment,
      stopNow,
    },
    log,
    stack,
  );
  metrics.watchWorker(worker);
  signal.throwIfAborted();
  const api = await startApi({
    control,
    stopNow,
    host: config.host,
    port,
    app: { metrics, queue: services.queue, ...appOptionsOf(config) },
  });
  stack.defer(() => api.close());
  if (config.healthPort !== undefined) {
    const { healthPort: port, host } = config;
    stack.use(await serveHealth({ port, host, checks: { ...worker.checks, ...reconciler.checks }, metrics }));
  }

  return {
    ...(await keepConnection(config, control, apiUrl)),
    logFile,
    delivery: services.queue === undefined ? "direct pull from PostgreSQL" : "BullMQ on Redis",
    isolation: worker.isolation,
    missing: describeMissing(worker.missing),
  };
}

async function openLog(dataDir: string, stack: AsyncDisposableStack) {
  const logDir = path.join(dataDir, "logs");
  await mkdir(logDir, { recursive: true });
  const logFile = path.join(logDir, "dari.log");
  const destination = stack.adopt(openLogFile(logFile), (opened) => opened.close());
  return { logFile, destination };
}

function stepper(signal: AbortSignal, say: (text: string) => void) {
  return (text: string): void => {
    signal.throwIfAborted();
    say(text);
  };
}

async function readTurnNames(control: Control, { org, agent, message }: TurnIds): Promise<TurnNames> {
  const actor = { organizationId: org, keyId: "npm start", scopes: ["read"] };
  const [{ name }, { sequence_number: number }] = await Promise.all([
    getAgent(control, actor, agent),
    getMessage(control, actor, message),
  ]);
  return { agent: name, number };
}

async function keepConnection(config: StandaloneConfig, control: Control, apiUrl: string) {
  const known = await readConnection(config.dataDir);
  const connection: Connection = {
    api_url: apiUrl,
    api_key: await ensureAdminKey(control, known?.api_key),
    console_url: `${apiUrl}/console`,
  };
  return {
    connection,
    connectionFile: await writeConnection(config.dataDir, connection),
    async createSignInLink(): Promise<string> {
      return (await createKeySignInLink(control, await authenticateKey(control, connection.api_key))).url;
    },
  };
}

function appOptionsOf(config: StandaloneConfig) {
  const { consoleDir, trustedProxies, unauthenticatedPerMinute } = config;
  return {
    consoleDir,
    connectionFile: connectionFileOf(config.dataDir),
    oidc: readOidcSettings(config),
    settings: { trustedProxies, unauthenticatedPerMinute },
  };
}

/** Other machines cannot reach it: both its own and its published address are on loopback. */
function isLocalOnly(config: StandaloneConfig): boolean {
  const published = config.publicUrl === undefined ? config.host : new URL(config.publicUrl).hostname;
  return loopbackHosts.has(config.host) && loopbackHosts.has(published.replace(/^\[|\]$/g, ""));
}

async function startServices(
  config: StandaloneConfig,
  say: (text: string) => void,
  stack: AsyncDisposableStack,
): Promise<ServiceSettings> {
  const servicesDir = path.join(config.dataDir, "services");
  let databaseUrl = config.databaseUrl?.reveal();
  if (databaseUrl === undefined) {
    say("starting PostgreSQL");
    const postgres = await startPostgres({ dataDir: path.join(servicesDir, "postgres"), log: say });
    stack.defer(() => postgres.stop());
    databaseUrl = postgres.url;
  }
  let redisUrl = config.queue === "none" ? undefined : config.redisUrl?.reveal();
  const server = config.queue === "none" || redisUrl !== undefined ? undefined : findRedisServer();
  if (server !== undefined) {
    say("starting Redis");
    const redis = await startRedis({ dir: path.join(servicesDir, "redis"), server });
    stack.defer(() => redis.stop());
    redisUrl = redis.url;
  }
  const key = await readOrCreateMasterKey(config.dataDir, config.environment["DARI_MASTER_KEY"]);
  return toServiceSettings(config, { databaseUrl, redisUrl, masterKey: key });
}
