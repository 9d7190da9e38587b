// The worker's settings. The only place of this program that reads the environment.

import { checkServiceSettings, serviceSettings } from "@dari/control/assembly";
import { defaultBackoff, limits } from "@dari/domain";
import { integer, oneOf, readConfig, string, type ConfigOf, type ConfigProblem, type Environment } from "@dari/runtime";
import { EgressRuleError, parseEgressRules } from "@dari/network";

/** The settings that only the worker has. */
export const ownWorkerSettings = {
  slots: integer({ env: "DARI_WORKER_SLOTS", min: 1, max: 1_000, default: 4, about: "Turns at once." }),
  memoryMb: integer({
    env: "DARI_WORKER_MEMORY_MB",
    unit: "MiB",
    min: 128,
    optional: true,
    about: "For all turns together; default: the control group's limit, else the machine's memory, less 512.",
  }),
  turnReservedMb: integer({
    env: "DARI_TURN_RESERVED_MB",
    unit: "MiB",
    min: 16,
    optional: true,
    about: "Set aside for each turn; default: DARI_TURN_MEMORY_BYTES.",
  }),
  warmSandboxes: integer({
    env: "DARI_WARM_SANDBOXES",
    min: 0,
    max: 1_000,
    optional: true,
    about: "At most that wait with their agent loaded, with DARI_SANDBOX bwrap or oci; 0: none; default: one per slot.",
  }),
  templates: oneOf(["auto", "off"], {
    env: "DARI_TEMPLATES",
    default: "auto",
    about: "Whether Python agents are loaded once, and copied for turns; with DARI_SANDBOX bwrap.",
  }),
  sessionIdleSeconds: integer({
    env: "DARI_SESSION_IDLE_SECONDS",
    unit: "seconds",
    max: 3_600,
    default: 300,
    about: "A sandbox waits so long for its session's next turn where a manifest says runtime.reuse; 0: none does.",
  }),
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
  sandbox: oneOf(["auto", "bwrap", "oci", "landlock", "process"], {
    env: "DARI_SANDBOX",
    default: "auto",
    about: "How agents are isolated. auto: the strongest that works here. Any other value is required.",
  }),
  ociRuntime: string({
    env: "DARI_OCI_RUNTIME",
    optional: true,
    about: "Name or path of the runtime, with DARI_SANDBOX oci; default: crun, else runc.",
  }),
  bwrap: string({
    env: "DARI_BWRAP",
    optional: true,
    about: "Absolute path of the bubblewrap to use; default: the system's, else one that set-up fetches.",
  }),
  minimumIsolation: oneOf(["isolated", "watched", "none"], {
    env: "DARI_MINIMUM_ISOLATION",
    default: "isolated",
    about:
      "The worker does not start below this. isolated: agents are isolated, with control groups if there is more " +
      "than one organization; watched: agents are isolated; none: anything (default of npm start while only this " +
      "machine reaches it).",
  }),
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
  turnCpus: integer({
    env: "DARI_TURN_CPUS",
    min: 1,
    max: 4_096,
    optional: true,
    about: "Processors that a turn may keep busy; default: all, of which each turn gets the same share.",
  }),
  turnCpuSeconds: integer({
    env: "DARI_TURN_CPU_SECONDS",
    unit: "seconds",
    min: 1,
    optional: true,
    about: "Processor time of a turn, all its processes together; default: no bound.",
  }),
  egress: oneOf(["open", "allow", "off"], {
    env: "DARI_EGRESS",
    default: "open",
    about: "What agents in a sandbox with its own network reach: the public internet, DARI_EGRESS_ALLOW, or nothing.",
  }),
  egressAllow: string({
    env: "DARI_EGRESS_ALLOW",
    optional: true,
    about: "Names, *.names, and address:port for single private endpoints; by commas.",
  }),
  buildSlots: integer({
    env: "DARI_BUILD_SLOTS",
    min: 1,
    max: 64,
    default: 2,
    about: "Versions this worker builds at once; one more if another organization has all of several slots.",
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
    about: "Limit of each process of a turn.",
  }),
  backoffFirstMs: integer({
    env: "DARI_BACKOFF_FIRST_MS",
    unit: "ms",
    min: 1,
    default: defaultBackoff.firstMs,
    about: "Before the second attempt.",
  }),
  shutdownGraceMs: integer({
    env: "DARI_SHUTDOWN_GRACE_MS",
    unit: "ms",
    default: limits.shutdownGraceMs,
    about: "For running turns at shutdown.",
  }),
} as const;

export const workerSettings = { ...serviceSettings, ...ownWorkerSettings } as const;

export type OwnConfig = ConfigOf<typeof ownWorkerSettings>;

export type WorkerConfig = ConfigOf<typeof workerSettings>;

export function readWorkerConfig(env: Environment = process.env): WorkerConfig {
  return readConfig(workerSettings, env, {
    check: (settings) => [...checkServiceSettings(settings), ...checkWorkerSettings(settings)],
  });
}

type CheckedSettings = Pick<
  WorkerConfig,
  "memoryMb" | "turnReservedMb" | "turnMemoryBytes" | "egressAllow" | "buildEgressAllow" | "sandbox" | "ociRuntime"
>;

/** Checks what depends on several settings. */
export function checkWorkerSettings(settings: CheckedSettings): ConfigProblem[] {
  return [...checkMemory(settings), ...checkEgress(settings), ...checkRuntime(settings)];
}

/** Returns the memory that is reserved for each turn, in bytes. */
export function reservedBytesOf(settings: { turnReservedMb: number | undefined; turnMemoryBytes: number }): number {
  return settings.turnReservedMb === undefined ? settings.turnMemoryBytes : settings.turnReservedMb * 1024 ** 2;
}

function checkMemory(settings: CheckedSettings): ConfigProblem[] {
  if (settings.memoryMb === undefined || settings.memoryMb * 1024 ** 2 >= reservedBytesOf(settings)) return [];
  const message = "expected at least what one turn has set aside, DARI_TURN_RESERVED_MB or DARI_TURN_MEMORY_BYTES";
  return [{ env: "DARI_WORKER_MEMORY_MB", message }];
}

/** Refuses a runtime that another driver would ignore. */
function checkRuntime({ sandbox, ociRuntime }: CheckedSettings): ConfigProblem[] {
  if (ociRuntime === undefined || sandbox === "oci") return [];
  return [{ env: "DARI_OCI_RUNTIME", message: `needs DARI_SANDBOX=oci; it is ${sandbox}` }];
}

function checkEgress({ egressAllow, buildEgressAllow }: CheckedSettings): ConfigProblem[] {
  const lists = { DARI_EGRESS_ALLOW: egressAllow, DARI_BUILD_EGRESS_ALLOW: buildEgressAllow };
  return Object.entries(lists).flatMap(([env, list = ""]) => {
    try {
      parseEgressRules(list);
      return [];
    } catch (error) {
      if (!(error instanceof EgressRuleError)) throw error;
      return [{ env, message: error.message }];
    }
  });
}
