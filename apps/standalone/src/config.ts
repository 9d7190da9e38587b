// The standalone platform's settings: everything has a default, real services take the place of embedded ones.
// The only place of this program that reads the environment.

import path from "node:path";
import type { Redacted } from "@dari/domain";
import { serviceSettings, type ServiceSettings } from "@dari/control";
import { integer, oneOf, readConfig, secretUrl, string, url, type ConfigOf, type Environment } from "@dari/runtime";

export const standaloneSettings = {
  port: integer({ env: "DARI_PORT", max: 65_535, default: 4870, about: "Of the API; 0 takes a free one." }),
  host: string({ env: "DARI_HOST", default: "127.0.0.1", about: "Beyond loopback, agents must be isolated." }),
  publicUrl: url({ env: "DARI_PUBLIC_URL", optional: true, about: "Where clients reach the API." }),
  dataDir: string({ env: "DARI_DATA_DIR", default: ".dari-data", about: "Everything that the platform keeps." }),
  databaseUrl: secretUrl({
    env: "DATABASE_URL",
    protocols: ["postgres", "postgresql"],
    optional: true,
    about: "Instead of the embedded PostgreSQL.",
  }),
  redisUrl: secretUrl({
    env: "REDIS_URL",
    protocols: ["redis", "rediss"],
    optional: true,
    about: "Instead of a local one.",
  }),
  queue: oneOf(["auto", "none"], {
    env: "DARI_QUEUE",
    default: "auto",
    about: "none: direct pull, also where Redis is.",
  }),
  bucket: string({ env: "S3_BUCKET", optional: true, about: "Keeps objects in S3 instead of in the data directory." }),
  consoleDir: string({
    env: "DARI_CONSOLE_DIR",
    optional: true,
    about: "The built console, served at /console; default: apps/console/dist of the checkout.",
  }),
  healthPort: integer({
    env: "DARI_HEALTH_PORT",
    max: 65_535,
    optional: true,
    about: "Serves /healthz, /readyz and /metrics on DARI_HOST without a key.",
  }),
  slots: integer({ env: "DARI_WORKER_SLOTS", min: 1, max: 1_000, default: 4, about: "Turns at once." }),
  warmSandboxes: integer({
    env: "DARI_WARM_SANDBOXES",
    min: 0,
    max: 1_000,
    optional: true,
    about: "At most that wait with their agent loaded, where DARI_SANDBOX is bwrap; 0: none; default: one per slot.",
  }),
  sandbox: oneOf(["auto", "bwrap", "process"], { env: "DARI_SANDBOX", default: "auto" }),
  turnProcesses: integer({
    env: "DARI_TURN_PROCESSES",
    min: 32,
    max: 100_000,
    default: 512,
    about: "Processes and threads of a turn together.",
  }),
  turnDiskBytes: integer({
    env: "DARI_TURN_DISK_BYTES",
    unit: "bytes",
    min: 1024 ** 2,
    default: 10 * 1024 ** 3,
    about: "What a turn's workspace may hold while it runs.",
  }),
  egress: oneOf(["open", "allow", "off"], {
    env: "DARI_EGRESS",
    default: "open",
    about: "What agents in a sandbox with its own network reach: the public internet, DARI_EGRESS_ALLOW, or nothing.",
  }),
  egressAllow: string({
    env: "DARI_EGRESS_ALLOW",
    optional: true,
    about: "Names, *.names, and address:port for single private endpoints, as 127.0.0.1:11434; by commas.",
  }),
  buildEgress: oneOf(["registries", "open", "off"], {
    env: "DARI_BUILD_EGRESS",
    default: "registries",
    about:
      "What builds in a sandbox with its own network reach: package registries, the public internet too, or nothing.",
  }),
  buildEgressAllow: string({
    env: "DARI_BUILD_EGRESS_ALLOW",
    optional: true,
    about: "For builds as well, as DARI_EGRESS_ALLOW.",
  }),
  turnMemoryBytes: integer({
    env: "DARI_TURN_MEMORY_BYTES",
    unit: "bytes",
    min: 128 * 1024 ** 2,
    default: 4 * 1024 ** 3,
  }),
  memoryMb: integer({
    env: "DARI_WORKER_MEMORY_MB",
    unit: "MiB",
    min: 1_024,
    optional: true,
    about: "For all turns together; default: the control group's limit, else the machine's memory, less 512.",
  }),
  turnReservedMb: integer({
    env: "DARI_TURN_RESERVED_MB",
    unit: "MiB",
    min: 16,
    default: 1_024,
    about: "Set aside for each turn.",
  }),
  cacheBytes: integer({
    env: "DARI_CACHE_BYTES",
    unit: "bytes",
    default: 5 * 1024 ** 3,
    about: "Images and contents kept.",
  }),
  backoffFirstMs: integer({ env: "DARI_BACKOFF_FIRST_MS", unit: "ms", min: 1, default: 1_000 }),
  shutdownGraceMs: integer({
    env: "DARI_SHUTDOWN_GRACE_MS",
    unit: "ms",
    default: 10_000,
    about: "For running turns at shutdown.",
  }),
} as const;

export type StandaloneConfig = ConfigOf<typeof standaloneSettings> & { readonly environment: Environment };

/** `directory`: what a relative data directory is relative to. */
export function readStandaloneConfig(directory: string, environment: Environment = process.env): StandaloneConfig {
  const config = readConfig(standaloneSettings, environment);
  return { ...config, dataDir: path.resolve(directory, config.dataDir), environment };
}

/** The shared settings, with what the embedded services turned out to be. */
export function serviceSettingsOf(
  config: StandaloneConfig,
  found: { databaseUrl: string; redisUrl: string | undefined; masterKey: Redacted },
): ServiceSettings {
  return readConfig(serviceSettings, {
    ...config.environment,
    DATABASE_URL: found.databaseUrl,
    REDIS_URL: found.redisUrl,
    // A file that was named goes before the key of the data directory.
    ...(config.environment["DARI_MASTER_KEY_FILE"] === undefined ? { DARI_MASTER_KEY: found.masterKey.reveal() } : {}),
    DARI_BLOBS_DIR: config.bucket === undefined ? path.join(config.dataDir, "objects") : undefined,
  });
}

/** Where the caller's working directory was before npm changed it. */
export function callerDirectory(environment: Environment = process.env): string {
  return environment["INIT_CWD"] ?? process.cwd();
}
