// The worker's settings. No other file of this program reads the environment.

import { checkServiceSettings, serviceSettings } from "@dari/control/assembly";
import { defaultBackoff, limits } from "@dari/domain";
import { integer, oneOf, readConfig, string, type ConfigOf, type ConfigProblem, type Environment } from "@dari/runtime";
import { EgressRuleError, parseEgressRules } from "@dari/network";
import { defaultSlotsMax, slotsPerProcessor } from "./capacity/count-machine-slots.ts";
import { defaultPlannedSlots, getReservedBytes } from "./capacity/reserve-turn-memory.ts";

/** How many turns run at the same time, and what waits ready for the next ones. */
const capacitySettings = {
  slots: integer({
    env: "DARI_WORKER_SLOTS",
    min: 1,
    max: 10_000,
    optional: true,
    about:
      "Maximum number of concurrent turns of the worker, if its memory can hold them. Unset: " +
      `${slotsPerProcessor} for each processor, at most ${defaultSlotsMax.toLocaleString("en-US")} and what the ` +
      `machine's open files and processes allow; ${defaultPlannedSlots} if memory is set aside for each turn.`,
  }),
  memoryMb: integer({
    env: "DARI_WORKER_MEMORY_MB",
    unit: "MiB",
    min: 128,
    optional: true,
    about:
      "Memory for all turns together, in MiB; DARI_TURN_RESERVED_MB of it is set aside for each. Unset: turns are " +
      "admitted by what they hold, or share all but 512 MiB of the control group's or the machine's memory.",
  }),
  turnReservedMb: integer({
    env: "DARI_TURN_RESERVED_MB",
    unit: "MiB",
    min: 16,
    optional: true,
    about:
      "Memory that is set aside for each turn, in MiB. Unset: turns are admitted by what they hold. Without " +
      "[control groups](#drivers-and-control-groups), with the driver landlock, with several organizations at the " +
      "start, or with DARI_WORKER_MEMORY_MB: the larger of DARI_TURN_MEMORY_BYTES and DARI_TURN_MEMORY_MAX_BYTES " +
      "(npm start: 1,024).",
  }),
  warmSandboxes: integer({
    env: "DARI_WARM_SANDBOXES",
    min: 0,
    max: 1_000,
    optional: true,
    about:
      "Maximum number of sandboxes that wait with their agent loaded (DARI_SANDBOX bwrap or oci); 0 disables them. " +
      `Unset: ${defaultPlannedSlots}, or DARI_WORKER_SLOTS, but at most four for each processor.`,
  }),
  templates: oneOf(["auto", "off"], {
    env: "DARI_TEMPLATES",
    default: "auto",
    about: "Whether agents are imported once and forked for each turn (DARI_SANDBOX bwrap).",
  }),
  sessionIdleSeconds: integer({
    env: "DARI_SESSION_IDLE_SECONDS",
    unit: "seconds",
    max: 3_600,
    default: 300,
    about:
      "How long a finished sandbox is kept for the session's next turn if the agent sets runtime.reuse, in seconds; " +
      "0 disables this.",
  }),
} as const;

/** What the worker stores on this machine. */
const storageSettings = {
  workDir: string({
    env: "DARI_WORK_DIR",
    default: "/var/tmp/dari-worker",
    about: "Directory for running turns and caches.",
  }),
  cacheBytes: integer({
    env: "DARI_CACHE_BYTES",
    unit: "bytes",
    default: 10 * 1024 ** 3,
    about: "Disk space for cached images, in bytes; cached workspaces get the same amount in addition.",
  }),
} as const;

/** How agents are isolated from the machine. */
const isolationSettings = {
  sandbox: oneOf(["auto", "bwrap", "oci", "landlock", "process"], {
    env: "DARI_SANDBOX",
    default: "auto",
    about:
      "How agents are isolated, by a [driver](#drivers-and-control-groups). auto uses the first of bwrap, oci and " +
      "landlock that works on this machine; with any other value, the worker does not start if that driver does not " +
      "work. process does not isolate.",
  }),
  ociRuntime: string({
    env: "DARI_OCI_RUNTIME",
    optional: true,
    about: "Name or path of the OCI runtime for DARI_SANDBOX oci. Unset: crun, else runc.",
  }),
  bwrap: string({
    env: "DARI_BWRAP",
    optional: true,
    about: "Absolute path of bubblewrap. Unset: the installed one, else the one that npm start downloads.",
  }),
  minimumIsolation: oneOf(["isolated", "watched", "none"], {
    env: "DARI_MINIMUM_ISOLATION",
    default: "isolated",
    about:
      "Isolation that the worker requires to start. isolated: isolated agents, and " +
      "[control groups](#drivers-and-control-groups) if there are several organizations. watched: isolated agents; " +
      "without control groups, the worker reads /proc to enforce limits. none: no requirement (default of npm start " +
      "if only this machine can reach the API).",
  }),
} as const;

/** Limits of one turn. */
const turnLimitSettings = {
  turnMemoryBytes: integer({
    env: "DARI_TURN_MEMORY_BYTES",
    unit: "bytes",
    min: limits.turnMemoryBytesMin,
    default: limits.turnMemoryBytesDefault,
    about:
      "Memory limit of a turn, in bytes. With [control groups](#drivers-and-control-groups) the kernel enforces it, " +
      "else the worker, which checks five times a second; with the driver process, each process has this limit. An " +
      "agent can ask for another one with runtime.memory.",
  }),
  turnProcesses: integer({
    env: "DARI_TURN_PROCESSES",
    min: 32,
    max: 100_000,
    default: 512,
    about: "Maximum number of processes and threads of one turn, together.",
  }),
  turnDiskBytes: integer({
    env: "DARI_TURN_DISK_BYTES",
    unit: "bytes",
    min: 1024 ** 2,
    default: 10 * 1024 ** 3,
    about:
      "Maximum size of a turn's workspace and home together while it runs, in bytes; also at most " +
      `${limits.workspaceFiles.toLocaleString("en-US")} entries.`,
  }),
  turnCpus: integer({
    env: "DARI_TURN_CPUS",
    min: 1,
    max: 4_096,
    optional: true,
    about:
      "Processors that one turn can use, unless its agent asks for others with runtime.cpus. Has no effect without " +
      "[control groups](#drivers-and-control-groups). Unset: all, shared equally by the running turns.",
  }),
  turnCpuSeconds: integer({
    env: "DARI_TURN_CPU_SECONDS",
    unit: "seconds",
    min: 1,
    optional: true,
    about: "Processor time of one turn, all its processes together, in seconds. Unset: no limit.",
  }),
} as const;

/** What agents can reach. */
const egressSettings = {
  egress: oneOf(["open", "allow", "off"], {
    env: "DARI_EGRESS",
    default: "open",
    about:
      "What agents can reach. open: every public address except port 25. allow: only the hosts of DARI_EGRESS_ALLOW. " +
      "off: only its address:port entries. The driver process ignores it.",
  }),
  egressAllow: string({
    env: "DARI_EGRESS_ALLOW",
    optional: true,
    about:
      "Host names that agents can reach with DARI_EGRESS=allow, and private endpoints that they can reach in any " +
      "mode; comma-separated: name, *.name, name:port, address:port.",
  }),
} as const;

/** Builds of versions. */
const buildSettings = {
  buildSlots: integer({
    env: "DARI_BUILD_SLOTS",
    min: 1,
    max: 64,
    default: 2,
    about:
      "Maximum number of concurrent builds of the worker. If one organization uses all of two or more slots, another " +
      "organization's build gets an extra slot.",
  }),
  buildEgress: oneOf(["registries", "open", "off"], {
    env: "DARI_BUILD_EGRESS",
    default: "registries",
    about:
      "What builds can reach. registries: package registries. open: also every public address. off: nothing. The " +
      "driver process ignores it.",
  }),
  buildEgressAllow: string({
    env: "DARI_BUILD_EGRESS_ALLOW",
    optional: true,
    about: "More hosts that builds can reach, in the form of DARI_EGRESS_ALLOW.",
  }),
} as const;

/** Retries and shutdown. */
const endingSettings = {
  backoffFirstMs: integer({
    env: "DARI_BACKOFF_FIRST_MS",
    unit: "ms",
    min: 1,
    default: defaultBackoff.firstMs,
    about:
      "Longest wait before the second attempt of a message, in milliseconds (at least half of it). Each later wait " +
      "doubles, up to 60 s.",
  }),
  shutdownGraceMs: integer({
    env: "DARI_SHUTDOWN_GRACE_MS",
    unit: "ms",
    default: limits.shutdownGraceMs,
    about: "How long running turns may continue at shutdown, in milliseconds.",
  }),
} as const;

/** The settings that only the worker has. */
export const ownWorkerSettings = {
  ...capacitySettings,
  ...storageSettings,
  ...isolationSettings,
  ...turnLimitSettings,
  ...egressSettings,
  ...buildSettings,
  ...endingSettings,
} as const;

export const workerSettings = { ...serviceSettings, ...ownWorkerSettings } as const;

export type OwnWorkerConfig = ConfigOf<typeof ownWorkerSettings>;

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

/** Checks combinations of settings. */
export function checkWorkerSettings(settings: CheckedSettings): ConfigProblem[] {
  return [...checkMemory(settings), ...checkEgress(settings), ...checkRuntime(settings)];
}

function checkMemory(settings: CheckedSettings): ConfigProblem[] {
  if (settings.memoryMb === undefined || settings.memoryMb * 1024 ** 2 >= getReservedBytes(settings)) return [];
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
