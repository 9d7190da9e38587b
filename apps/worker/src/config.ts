// The worker's settings. The only place of this program that reads the environment.

import { checkServiceSettings, serviceSettings } from "@dari/control";
import { integer, oneOf, readConfig, string, type ConfigOf, type Environment } from "@dari/runtime";

export const workerSettings = {
  ...serviceSettings,
  slots: integer({ env: "DARI_WORKER_SLOTS", min: 1, max: 1_000, default: 4, about: "Turns at once." }),
  workDir: string({
    env: "DARI_WORK_DIR",
    default: "/var/tmp/dari-worker",
    about: "Directories of running turns, caches.",
  }),
  cacheBytes: integer({
    env: "DARI_CACHE_BYTES",
    unit: "bytes",
    default: 10 * 1024 ** 3,
    about: "Images and contents kept.",
  }),
  sandbox: oneOf(["auto", "bwrap", "process"], {
    env: "DARI_SANDBOX",
    default: "auto",
    about: "How agents are isolated.",
  }),
  minimumIsolation: oneOf(["isolated", "none"], {
    env: "DARI_MINIMUM_ISOLATION",
    default: "isolated",
    about: "The worker refuses to start below this.",
  }),
  turnMemoryBytes: integer({
    env: "DARI_TURN_MEMORY_BYTES",
    unit: "bytes",
    min: 128 * 1024 ** 2,
    default: 4 * 1024 ** 3,
  }),
  backoffFirstMs: integer({
    env: "DARI_BACKOFF_FIRST_MS",
    unit: "ms",
    min: 1,
    default: 1_000,
    about: "Before the second attempt.",
  }),
  shutdownGraceMs: integer({
    env: "DARI_SHUTDOWN_GRACE_MS",
    unit: "ms",
    default: 30_000,
    about: "For running turns at shutdown.",
  }),
  healthPort: integer({ env: "DARI_HEALTH_PORT", max: 65_535, optional: true, about: "Serves /healthz there." }),
} as const;

export type WorkerConfig = ConfigOf<typeof workerSettings>;

export function readWorkerConfig(env: Environment = process.env): WorkerConfig {
  return readConfig(workerSettings, env, { check: checkServiceSettings });
}
