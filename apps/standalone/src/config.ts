// The standalone platform's settings: those of its parts, where everything has a default and real services can replace
// embedded ones. The only file of this program that reads the environment.

import path from "node:path";
import type { Redacted } from "@dari/domain";
import { apiSettings, checkOidcSettings } from "@dari/api";
import { serviceSettings, type ServiceSettings } from "@dari/control/assembly";
import {
  oneOf,
  readConfig,
  secretUrl,
  string,
  withDefault,
  withoutDefault,
  type ConfigOf,
  type Environment,
} from "@dari/runtime";
import { checkWorkerSettings, ownWorkerSettings } from "@dari/worker";

/** Without the worker's directory, which is in the data directory. */
const { workDir: _workDir, ...sharedWorkerSettings } = ownWorkerSettings;

export const standaloneSettings = {
  port: apiSettings.port,
  host: apiSettings.host,
  publicUrl: apiSettings.publicUrl,
  oidc: apiSettings.oidc,
  trustedProxies: apiSettings.trustedProxies,
  unauthenticatedPerMinute: apiSettings.unauthenticatedPerMinute,
  consoleDir: apiSettings.consoleDir,
  healthPort: serviceSettings.healthPort,
  dataDir: string({
    env: "DARI_DATA_DIR",
    default: ".dari-data",
    about: "Directory for everything that the platform stores.",
  }),
  databaseUrl: secretUrl({
    env: "DATABASE_URL",
    protocols: ["postgres", "postgresql"],
    optional: true,
    about: "URL of a PostgreSQL database. Unset: the embedded one.",
  }),
  redisUrl: secretUrl({
    env: "REDIS_URL",
    protocols: ["redis", "rediss"],
    optional: true,
    about:
      "URL of a Redis server. Unset: npm start starts redis-server or valkey-server (6.2 or newer) from the PATH; " +
      "without one, workers pull turns from the database.",
  }),
  queue: oneOf(["auto", "none"], {
    env: "DARI_QUEUE",
    default: "auto",
    about: "Set to none to let workers pull turns from the database even if Redis is available.",
  }),
  bucket: string({
    env: "S3_BUCKET",
    optional: true,
    about: "S3 bucket to store objects in. Unset: the data directory.",
  }),
  ...sharedWorkerSettings,
  // Unset: no minimum if only this machine can reach the platform.
  minimumIsolation: withoutDefault(ownWorkerSettings.minimumIsolation),
  cacheBytes: withDefault(ownWorkerSettings.cacheBytes, 5 * 1024 ** 3),
  shutdownGraceMs: withDefault(ownWorkerSettings.shutdownGraceMs, 10_000),
} as const;

/**
 * What is set aside for a turn if DARI_TURN_RESERVED_MB is unset, in MiB. A single machine is small and runs few
 * agents, all of them its owner's.
 */
export const plannedMb = 1_024;

export type StandaloneConfig = ConfigOf<typeof standaloneSettings> & { readonly environment: Environment };

/** `directory`: the base of a relative data directory. */
export function readStandaloneConfig(directory: string, environment: Environment = process.env): StandaloneConfig {
  const config = readConfig(standaloneSettings, environment, {
    check: ({ turnReservedMb = plannedMb, ...found }) => [
      ...checkWorkerSettings({ ...found, turnReservedMb }),
      ...checkOidcSettings(found),
    ],
  });
  return { ...config, dataDir: path.resolve(directory, config.dataDir), environment };
}

/** Returns the shared settings, with the addresses of the embedded services. */
export function toServiceSettings(
  config: StandaloneConfig,
  found: { databaseUrl: string; redisUrl: string | undefined; masterKey: Redacted },
): ServiceSettings {
  return readConfig(serviceSettings, {
    ...config.environment,
    DATABASE_URL: found.databaseUrl,
    REDIS_URL: found.redisUrl,
    // Here the API knows what the worker gives by default.
    DARI_TURN_MEMORY_MAX_BYTES: config.environment["DARI_TURN_MEMORY_MAX_BYTES"] ?? String(config.turnMemoryBytes),
    DARI_TURN_CPUS_MAX: config.environment["DARI_TURN_CPUS_MAX"] ?? config.turnCpus?.toString(),
    // A named file takes precedence over the key in the data directory.
    ...(config.environment["DARI_MASTER_KEY_FILE"] === undefined ? { DARI_MASTER_KEY: found.masterKey.reveal() } : {}),
    DARI_BLOBS_DIR: config.bucket === undefined ? path.join(config.dataDir, "objects") : undefined,
  });
}

/** Returns the caller's working directory before npm changed it. */
export function callerDirectory(environment: Environment = process.env): string {
  return environment["INIT_CWD"] ?? process.cwd();
}
