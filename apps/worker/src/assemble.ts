// Builds a worker from its services and settings.

import { bundleNodeGuest, createRuntimes, openImageCache } from "@dari/builder";
import { createControl, openTurnSourceIfQueued, type Services, type ServiceSettings } from "@dari/control/assembly";
import { promoteJob, retryJob } from "@dari/control/operations";
import type { WorkspaceContext } from "@dari/control/storage";
import { hasSeveralOrganizations } from "@dari/control/tenants";
import { limits, newId } from "@dari/domain";
import { getNamespaceState } from "@dari/native";
import { parseEgressRules } from "@dari/network";
import {
  adviseOnGroups,
  chooseDriver,
  hostUserRange,
  NoSandboxDriverError,
  openHostUsers,
  openSlotMounts,
  readMachine,
  type ChosenDriver,
  type Machine,
  type SlotMounts,
} from "@dari/sandbox";
import {
  createSandboxPool,
  createTurnDirectories,
  noGuestScript,
  openGuestScript,
  type AgentSettings,
  type SandboxPool,
} from "@dari/sandbox-pool";
import { StartError, type Logger } from "@dari/runtime";
import { openDisks, type Disks } from "@dari/workspace";
import type { OwnWorkerConfig } from "./config.ts";
import type { WorkerContext, WorkerSettings } from "./context.ts";
import { canBoundSandboxes, findMissingCapabilities } from "./capacity/find-missing-capabilities.ts";
import { startsMax } from "./capacity/gate.ts";
import { openTurnMemory, type TurnRule } from "./capacity/open-turn-memory.ts";
import { defaultPlannedSlots } from "./capacity/reserve-turn-memory.ts";
import { networkMode } from "./turn/network/create-egress-policy.ts";
import { lockWorkDir, type WorkDir } from "./lock-work-dir.ts";
import { startWorker, type Worker } from "./worker.ts";

/** The worker's settings, and what the program that runs the worker adds. */
export interface WorkerAssembly extends OwnWorkerConfig {
  /** The command line that starts this program, for advice. */
  readonly program: string;
  /**
   * Memory that is set aside for a turn if turns are not admitted by what they hold and DARI_TURN_RESERVED_MB is unset,
   * in MiB (default: the limit of a turn).
   */
  readonly plannedMb?: number;
  /** Aborts when the grace period at shutdown is over. */
  readonly stopNow?: AbortSignal;
  /** Whether the nearest newer Python may run an agent if its minor version is missing. */
  readonly allowNearestPython: boolean;
  /** Replaces this machine's sandbox, for benchmarks of everything else. */
  readonly driver?: Pick<ChosenDriver, "driver" | "guarantees">;
  /** Replaces the session directories on this machine, for the same benchmarks. */
  readonly disks?: Disks;
  /** Called when the worker cannot recover without a restart (default: it continues as well as it can). */
  readonly giveUp?: (reason: string) => void;
  /** This machine's environment, which locates interpreters and registries. Agents never see it. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Opens caches, chooses the sandbox driver, and starts the worker. Disposing `stack` drains the worker. */
export async function assembleWorker(
  services: Services,
  settings: ServiceSettings,
  assembly: WorkerAssembly,
  log: Logger,
  stack: AsyncDisposableStack,
): Promise<Worker> {
  const workDir = await lockWorkDir(assembly.workDir);
  stack.defer(() => workDir.leave());
  const machine = readMachine();
  const chosen = assembly.driver ?? (await findDriver(services.db, assembly, machine, log));
  stack.defer(() => chosen.driver.close?.());
  const { images, disks } = await openCaches(services, assembly, chosen, workDir, log, stack);
  // Without isolation, an agent could overwrite the shared file of the guest, so each sandbox gets its own.
  const guestScript = chosen.guarantees.isolated
    ? await openGuestScript({ dir: workDir.guest, bundle: bundleNodeGuest, log })
    : noGuestScript;
  const { hostUserOf, guarantees } = openUsers(chosen, workDir, log);
  const source = openTurnSourceIfQueued(settings);
  // The pool is opened later, because it keeps sandboxes only while there is memory.
  const opened: { pool: SandboxPool | undefined } = { pool: undefined };
  const endWaiting = (): boolean => opened.pool?.endWaiting() ?? false;
  const isShared = await hasSeveralOrganizations(services.db);
  const rule = openTurnMemory({ ...assembly, isShared }, settings.turnBounds, chosen, { endWaiting, log });
  const { slots, turnMemory, areProcessorsBusy } = rule;
  const { pool, isMissing: lacksWarm } = await openPool(assembly, chosen, rule, workDir, log, stack);
  opened.pool = pool;
  const { program } = assembly;
  const missing = findMissingCapabilities({ chosen, disks, lacksWarm, own: getNamespaceState(), program }, machine);
  for (const each of missing) log.warn(each, "machine.missing");
  const control = createControl(services, settings, "");
  const workerSettings = workerSettingsOf(assembly, settings, slots, workDir);
  const worker = await startWorker(
    {
      db: services.db,
      notifier: services.notifier,
      previews: services.previews,
      log,
      sealer: services.sealer,
      workspaces: { db: services.db, blobs: services.blobs, trees: services.trees, disks, hostUserOf },
      driver: chosen.driver,
      hostUserOf,
      networkOf: (turn) => networkMode(workerSettings.egress, turn),
      guarantees,
      missing,
      minimumIsolation: assembly.minimumIsolation,
      turnMemory,
      areProcessorsBusy,
      pool,
      guestScript,
      images,
      runtimes: createRuntimes({
        cacheDir: workDir.runtimes,
        env: assembly.environment,
        allowNearest: assembly.allowNearestPython,
      }),
      turnDirectories: createTurnDirectories(workDir.turns),
      retryJob: (job) => retryJob(control, job),
      promoteJob: (job) => promoteJob(control, job),
      settings: workerSettings,
    },
    source,
  );
  stack.defer(() => worker.drain());
  return worker;
}

function workerSettingsOf(
  assembly: WorkerAssembly,
  settings: ServiceSettings,
  slots: number,
  workDir: WorkDir,
): WorkerSettings {
  return {
    workerId: newId("worker"),
    pool: settings.pool,
    slots,
    giveUp: assembly.giveUp ?? (() => undefined),
    leaseMs: settings.leaseMs,
    renewMs: Math.floor(settings.leaseMs / limits.leaseRenewals),
    graceMs: assembly.shutdownGraceMs,
    stopNow: assembly.stopNow,
    backoffFirstMs: assembly.backoffFirstMs,
    limits: turnLimits(assembly),
    bounds: settings.turnBounds,
    keepMs: assembly.sessionIdleSeconds * 1_000,
    usesTemplates: assembly.templates === "auto",
    egress: { mode: assembly.egress, rules: parseEgressRules(assembly.egressAllow ?? "") },
    buildSlots: assembly.buildSlots,
    buildEgress: { mode: assembly.buildEgress, rules: parseEgressRules(assembly.buildEgressAllow ?? "") },
    workDir: workDir.turns,
  };
}

/** Tries the drivers of this machine and logs the result. */
async function findDriver(
  db: Services["db"],
  assembly: WorkerAssembly,
  machine: Machine,
  log: Logger,
): Promise<ChosenDriver> {
  const { sandbox, minimumIsolation, workDir: ownDir, ociRuntime, bwrap: bwrapPath } = assembly;
  const chosen = await chooseDriver({
    minimum: minimumIsolation === "none" ? "none" : "isolated",
    ahead: true,
    ownDir,
    ...(sandbox === "auto" ? {} : { required: sandbox }),
    ...(ociRuntime === undefined ? {} : { ociRuntime }),
    ...(bwrapPath === undefined ? {} : { bwrapPath }),
  }).catch((error: unknown) => {
    if (!(error instanceof NoSandboxDriverError)) throw error;
    const advice = sandbox === "auto" ? "" : `; set DARI_SANDBOX=auto to use a driver that works on this machine`;
    throw new StartError(`DARI_SANDBOX=${sandbox}: ${error.message}${advice}`, { cause: error });
  });
  for (const { name, reason } of chosen.rejected) log.warn({ sandbox: name, reason }, "sandbox.not_possible");
  const { name } = chosen.driver;
  log.info({ sandbox: name, guarantees: chosen.guarantees }, "sandbox.chosen");
  if (!chosen.guarantees.isolated) log.warn({ sandbox: name }, "agents run NOT ISOLATED from this machine");
  await assertBounded(db, assembly, chosen, machine);
  return chosen;
}

/** @throws StartError if several organizations would share a machine whose kernel does not limit memory */
async function assertBounded(
  db: Services["db"],
  { minimumIsolation, program }: WorkerAssembly,
  { guarantees }: Pick<ChosenDriver, "guarantees">,
  machine: Machine,
): Promise<void> {
  if (minimumIsolation !== "isolated" || canBoundSandboxes(guarantees) || !(await hasSeveralOrganizations(db))) return;
  throw new StartError(
    "there is more than one organization, and this machine allows no control groups, which limit the memory and " +
      `processes of a turn: ${adviseOnGroups(program, machine)}. To run without control groups, set ` +
      "DARI_MINIMUM_ISOLATION=watched",
  );
}

/**
 * Opens the host users of organizations. The result has no `hostUserOf` if sandboxes run as this process's user, or if
 * the driver picks a user for each sandbox itself.
 */
function openUsers(
  { driver, guarantees }: Pick<ChosenDriver, "driver" | "guarantees">,
  workDir: WorkDir,
  log: Logger,
): Pick<WorkspaceContext, "hostUserOf"> & Pick<ChosenDriver, "guarantees"> {
  const range = guarantees.users === "own" && !driver.picksHostUser ? hostUserRange() : undefined;
  if (range === undefined) return { guarantees };
  try {
    const users = openHostUsers(workDir.users, range);
    return { hostUserOf: (organizationId) => users.idOf(organizationId), guarantees };
  } catch (error) {
    log.warn({ reason: (error as Error).message }, "sandboxes share the worker's user");
    return { guarantees: { ...guarantees, users: "shared" } };
  }
}

/**
 * Opens the pool. Returns no pool if the settings disable preloaded and kept sandboxes, or if nothing can be mounted
 * into a running sandbox. `isMissing`: the settings ask for a pool, but this machine does not support one.
 */
async function openPool(
  assembly: WorkerAssembly,
  { driver }: Pick<ChosenDriver, "driver">,
  { slots: turnsMax, turnMemory }: Pick<TurnRule, "slots" | "turnMemory">,
  workDir: WorkDir,
  log: Logger,
  stack: AsyncDisposableStack,
): Promise<{ readonly pool: SandboxPool | undefined; readonly isMissing: boolean }> {
  const preloadMax = assembly.warmSandboxes ?? Math.min(turnsMax, assembly.slots ?? defaultPlannedSlots, startsMax);
  const keepMs = assembly.sessionIdleSeconds * 1_000;
  const isWanted = preloadMax > 0 || keepMs > 0;
  if (!isWanted || !driver.canMountWhileRunning) return { pool: undefined, isMissing: false };
  let mounts: SlotMounts;
  try {
    mounts = await openSlotMounts(workDir.warm, driver);
  } catch (error) {
    log.info({ reason: (error as Error).message }, "warm.not_possible");
    return { pool: undefined, isMissing: true };
  }
  stack.defer(() => mounts.close());
  const hasFreeMemory = (): boolean => !turnMemory.room().isScarce;
  const isMemoryShort = (): boolean => {
    const { availableBytes, neededBytes } = turnMemory.room();
    return availableBytes < neededBytes;
  };
  const pool = createSandboxPool({ mounts, preloadMax, turnsMax, keepMs, hasFreeMemory, isMemoryShort, log });
  stack.defer(() => pool.close());
  return { pool, isMissing: false };
}

interface Caches extends Pick<WorkerContext, "images"> {
  readonly disks: Disks;
}

async function openCaches(
  services: Services,
  assembly: WorkerAssembly,
  chosen: Pick<ChosenDriver, "driver">,
  workDir: WorkDir,
  log: Logger,
  stack: AsyncDisposableStack,
): Promise<Caches> {
  const images = openImageCache({
    dir: workDir.images,
    store: services.blobs,
    maxBytes: assembly.cacheBytes,
  });
  stack.defer(() => images.close());
  const disks =
    assembly.disks ??
    (await openDisks({
      dir: workDir.disks,
      maxBytes: assembly.cacheBytes,
      kind: chosen.driver.picksHostUser ? "copy" : "auto",
      onSquashfsUnused: ({ organizationId, objectKey, reason }) =>
        log.warn({ org: organizationId, key: objectKey, reason }, "workspace.image_unused"),
    }));
  stack.defer(() => disks.close());
  if (disks.kind !== "overlay") {
    log.warn(
      { reason: disks.reason },
      "workspaces are copied: the cost of a turn depends on the size of its workspace",
    );
  }
  return { images, disks };
}

/** Returns the limits of a turn's sandbox. */
function turnLimits({ turnCpus, turnCpuSeconds, ...assembly }: WorkerAssembly): AgentSettings["limits"] {
  return {
    memoryBytes: assembly.turnMemoryBytes,
    processes: assembly.turnProcesses,
    openFiles: 4_096,
    fileBytes: limits.workspaceFileBytes,
    tmpBytes: 1024 ** 3,
    diskBytes: assembly.turnDiskBytes,
    diskFiles: limits.workspaceFiles,
    ...(turnCpus === undefined ? {} : { cpus: turnCpus }),
    ...(turnCpuSeconds === undefined ? {} : { cpuSeconds: turnCpuSeconds }),
  };
}
