// The bubblewrap driver. Each sandbox has its own user, pid, mount, ipc and uts namespaces, unless its network is
// `open` also its own network namespace, and no capabilities.

import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type Egress, listensOn, namePort, openEgress, proxyPort, transparentPort } from "@dari/gateway";
import { nativeProblem } from "@dari/native";
import { createBackground, type Background } from "../launch/background.ts";
import { hostUserArguments, hostUserIdMap, commonBwrapArguments, sandboxArguments } from "./bwrap-arguments.ts";
import { ownEtcFiles, etcPaths, userIdInside, toPathInside } from "../namespaces/paths-inside.ts";
import { launcherPipes, mappedUserArguments, startLauncher } from "./bwrap-launcher.ts";
import type { Launcher } from "../namespaces/launcher.ts";
import {
  canBoundTree,
  findControlGroupDirs,
  groupCandidates,
  type ControlGroupDirs,
} from "../limits/control-groups.ts";
import { openDeviceNodes } from "../slots/create-device-nodes.ts";
import { encodeEnterInput } from "../namespaces/enter-input.ts";
import {
  noteMissingGroups,
  noteProxyOnly,
  sharedDevicesNote,
  sharedKernelNote,
  sharedUserNote,
} from "../machine/guarantee-notes.ts";
import { createNamespacedSandbox } from "../namespaces/namespaced-sandbox.ts";
import { openNamespaceShares, type NamespaceShares } from "../namespaces/namespace-shares.ts";
import { findProgram, tryTimeoutMs } from "../launch/find-programs.ts";
import { keepLauncherReady, type ReadyLauncher } from "./ready-launcher.ts";
import { isHostRoot, countProcessesOfUser, processLimits } from "../limits/rlimits.ts";
import { supervisedFilter } from "../seccomp/filter.ts";
import { hostUserRange } from "../slots/host-users.ts";
import { checkSpec } from "../slots/slot.ts";
import type { Starter } from "../launch/launch-process.ts";
import { openSlotOwnerChanger, type SlotOwnerChanger } from "../slots/change-slot-owner.ts";
import { findStarter, starterUnavailable } from "../launch/starter.ts";
import { openSystemFiles, type SystemFiles } from "../slots/copy-system-files.ts";
import { createTemplateSandbox } from "../template/template.ts";
import {
  SandboxStartError,
  type Guarantees,
  type ProbeResult,
  type Sandbox,
  type SandboxDriver,
  type SandboxLimits,
  type SandboxSpec,
  type SandboxTemplate,
} from "../types.ts";
import { withTimeout } from "../launch/with-timeout.ts";

interface Means {
  readonly bwrap: string;
  readonly machineArgs: readonly string[];
  readonly systemFiles: SystemFiles;
  readonly starter: Starter;
  readonly groups: ControlGroupDirs | undefined;
  readonly shares: NamespaceShares;
  /** The directory of device nodes that replace the host's. */
  readonly devicesDir: string | undefined;
  /** Why programs cannot connect without the proxy; undefined if they can. */
  readonly proxyOnly: string | undefined;
  /** Gives slots to host users; undefined if sandboxes run as this process's user. */
  readonly giveSlot: SlotOwnerChanger | undefined;
}

type Found = { readonly means: Means; readonly guarantees: Guarantees } | { readonly reason: string };

interface Launchers {
  take(limits: SandboxLimits): Promise<Launcher>;
  /** Called after a sandbox has ended, with its processes dead. */
  onSandboxEnded?(): void;
}

interface RunOptions {
  readonly background: Background;
  /** Default: one is opened if the spec has a policy. */
  readonly egress?: Egress | undefined;
  /** Maximum number of processes of the sandbox's user. */
  readonly processes: number | undefined;
  /** Once aborted, the sandbox's usage is no longer checked against its limits (default: always checked). */
  readonly unwatched?: AbortSignal;
  /** Called after the sandbox has ended. */
  readonly onEnd?: () => void;
}

export interface BwrapOptions {
  /** The bubblewrap to use (default: the one in the system's directories). */
  readonly bwrapPath?: string;
  /** Whether to use control groups if possible (default: true). */
  readonly controlGroups?: boolean;
  /** Whether sandboxes run as the spec's host user if this machine supports it (default: true). */
  readonly hostUsers?: boolean;
  /** Time limit for the first test of each way of isolation, in milliseconds (default: 10 s). */
  readonly tryWithinMs?: number;
  /** How long a template may answer nothing while a fork waits for it, in milliseconds (default: 10 s). */
  readonly forkWithinMs?: number;
  /** Whether a launcher is kept ready for the next sandbox; `close` ends it (default: false). */
  readonly ahead?: boolean;
}

export function createBwrapDriver(o: BwrapOptions = {}): SandboxDriver {
  let found: Promise<Found> | undefined;
  let ready: ReadyLauncher | undefined;
  const background = createBackground();
  const find = (): Promise<Found> => (found ??= findMeans(o));
  return {
    name: "bwrap",
    canFork: true,
    canRest: true,
    canMountWhileRunning: true,
    picksHostUser: false,
    async probe(): Promise<ProbeResult> {
      const result = await find();
      return "reason" in result ? { ok: false, reason: result.reason } : { ok: true, guarantees: result.guarantees };
    },
    async prepare(spec) {
      await checkSpec(spec);
      const result = await find();
      if ("reason" in result) throw new SandboxStartError(`bubblewrap cannot be used: ${result.reason}`);
      const { means } = result;
      const launchers = launchersOf(means);
      if (o.ahead !== true) return start(spec, means, launchers, background);
      ready ??= keepLauncherReady((limits) => launchers.take(limits));
      return start(spec, means, ready, background);
    },
    async prepareTemplate(spec) {
      await checkSpec(spec);
      const result = await find();
      if ("reason" in result) throw new SandboxStartError(`bubblewrap cannot be used: ${result.reason}`);
      return startTemplate(spec, result.means, background, o.forkWithinMs);
    },
    async close() {
      await ready?.close();
      await background.done();
    },
  };
}

function launchersOf({ bwrap, starter, groups }: Means): Launchers {
  return { take: (limits) => startLauncher({ bwrap, starter, groups, limits }) };
}

/**
 * Starts a template. Resolves with undefined if the sandbox has the host's network. A template's children are in nested
 * user namespaces. So bubblewrap's option against nested user namespaces is left out, and the template's system call
 * filter forbids what that option forbids. Each child has its own limit on processes.
 */
async function startTemplate(
  spec: SandboxSpec,
  means: Means,
  background: Background,
  forkWithinMs: number | undefined,
): Promise<SandboxTemplate | undefined> {
  const { bwrap, starter, groups, limits } = { ...means, ...spec };
  const filter = supervisedFilter("namespaces, template");
  if (spec.network === "open") return undefined;
  const open: Means = { ...means, machineArgs: means.machineArgs.filter((word) => word !== "--disable-userns") };
  const launcher = await startLauncher({ bwrap, starter, groups, limits, filter });
  let egress: Egress | undefined;
  try {
    egress = typeof spec.network === "object" ? openEgress(spec.network, spec.slotDir) : undefined;
  } catch (error) {
    await launcher.discard();
    throw error;
  }
  const held = new AbortController();
  const base = await runIn(launcher, spec, open, { background, egress, processes: undefined, unwatched: held.signal });
  const { init } = launcher;
  const onHeld = (): void => held.abort();
  const hostUser = hostUserOf(spec, means);
  const giveSlot = async (slotDir: string): Promise<void> =>
    hostUser === undefined ? undefined : await means.giveSlot?.({ slotDir }, hostUser);
  const found = { hostUser, giveSlot, starter, groups, isTransparent: means.proxyOnly === undefined };
  return createTemplateSandbox({ base, init, spec, ...found, egress, background, forkWithinMs, onHeld });
}

async function start(
  spec: SandboxSpec,
  means: Means,
  launchers: Launchers,
  background: Background,
  egress?: Egress,
): Promise<Sandbox> {
  const launcher = await launchers.take(spec.limits);
  const [hostUser, isBounded] = [hostUserOf(spec, means), canBoundTree(means.groups)];
  const processes = countProcessesOfUser(spec.limits, { hostUser, isBounded });
  const onEnd = (): void => launchers.onSandboxEnded?.();
  // Children of a template have their own limits, and their usage also counts for the template's namespace.
  void launcher.init.then((init) => init !== undefined && means.shares.apply(init.pid));
  return runIn(launcher, spec, means, { background, processes, onEnd, egress });
}

async function runIn(
  launcher: Launcher,
  spec: SandboxSpec,
  means: Means,
  { background, processes, ...o }: RunOptions,
): Promise<Sandbox> {
  let { egress } = o;
  const hostUser = hostUserOf(spec, means);
  try {
    if (hostUser !== undefined) await means.giveSlot?.(spec, hostUser);
    const machineArgs =
      hostUser === undefined ? means.machineArgs : [...hostUserArguments(means.machineArgs), ...mappedUserArguments];
    egress ??= typeof spec.network === "object" ? openEgress(spec.network, spec.slotDir) : undefined;
    launcher.run({
      options: [...machineArgs, ...sandboxArguments(spec, means.systemFiles.dir, egress?.trustDir)],
      words: encodeEnterInput({
        ports: egress === undefined ? [] : listensOn(egress, means.proxyOnly === undefined),
        limits: processLimits(spec.limits, { processes }),
        user: hostUser === undefined ? undefined : userIdInside,
        argv: insideArgv(spec),
      }),
      idMap: hostUser === undefined ? undefined : hostUserIdMap(hostUser),
      onServer: (port, server) => egress?.serve(port, server),
    });
    return createNamespacedSandbox(spec, {
      program: launcher,
      egress,
      background,
      hostUser,
      isBounded: canBoundTree(means.groups),
      name: "bubblewrap",
      unwatched: o.unwatched,
      ...(o.onEnd === undefined ? {} : { onEnd: o.onEnd }),
    });
  } catch (error) {
    egress?.close();
    await launcher.discard();
    throw error;
  }
}

/** Returns undefined if the sandbox runs as this process's user. */
function hostUserOf({ hostUser }: SandboxSpec, { giveSlot }: Means): number | undefined {
  return giveSlot === undefined ? undefined : hostUser;
}

const insideArgv = (spec: SandboxSpec): string[] => spec.argv.map((word) => toPathInside(spec, word));

async function findMeans(o: BwrapOptions): Promise<Found> {
  const problem = nativeProblem();
  if (problem !== undefined) return { reason: problem };
  const bwrap = o.bwrapPath ?? (await findProgram("bwrap"));
  if (bwrap === undefined) return { reason: "the program bwrap was not found; install the package bubblewrap" };
  const [starter, groups, devicesDir] = await Promise.all([
    findStarter({ pipes: launcherPipes, isFollowed: true }),
    o.controlGroups === false ? undefined : findControlGroupDirs(),
    isHostRoot() ? openDeviceNodes() : undefined,
  ]);
  if (starter === undefined) return { reason: starterUnavailable };
  const shares = openNamespaceShares();
  let systemFiles: SystemFiles;
  try {
    systemFiles = await openSystemFiles(etcPaths, ownEtcFiles);
  } catch (error) {
    return { reason: `the files of /etc cannot be copied: ${(error as Error).message}` };
  }
  const withinMs = o.tryWithinMs ?? tryTimeoutMs;
  const reasons: string[] = [];
  for (const disableUserNamespaces of [true, false]) {
    for (const candidate of groupCandidates(groups)) {
      const machineArgs = commonBwrapArguments({ disableUserNamespaces, devicesDir });
      const found = { bwrap, systemFiles, starter, devicesDir, shares, machineArgs };
      const base = { ...found, groups: candidate, proxyOnly: undefined };
      const reason = await tryOut({ ...base, giveSlot: undefined }, withinMs);
      if (reason === undefined) {
        const giveSlot = o.hostUsers === false ? undefined : await findHostUsers(base, withinMs);
        const means = { ...base, giveSlot, proxyOnly: await tryTransparent({ ...base, giveSlot }, withinMs) };
        return { means, guarantees: describe(means) };
      }
      reasons.push(reason);
    }
  }
  return { reason: `${reasons.at(-1)}; allow unprivileged user namespaces and mounts of /proc on this machine` };
}

/** Returns what gives slots to host users, if a sandbox with a host user works; otherwise undefined. */
async function findHostUsers(means: Omit<Means, "giveSlot">, withinMs: number): Promise<SlotOwnerChanger | undefined> {
  const range = hostUserRange();
  if (range === undefined) return undefined;
  const giveSlot = await openSlotOwnerChanger();
  const reason = await tryOut({ ...means, giveSlot }, withinMs, range.first);
  return reason === undefined ? giveSlot : undefined;
}

/**
 * Returns undefined if a sandbox hands over the sockets of transparent.c of @dari/native. Otherwise returns what it has
 * printed. Tries twice, because a busy machine can be too slow, and the result is kept.
 */
async function tryTransparent(means: Means, withinMs: number): Promise<string | undefined> {
  const first = await tryTransparentOnce(means, withinMs);
  return first === undefined ? undefined : tryTransparentOnce(means, withinMs);
}

async function tryTransparentOnce(means: Means, withinMs: number): Promise<string | undefined> {
  const ports = new Set<number>();
  const last = Promise.withResolvers<void>();
  const egress = openEgress({ policy: { mode: "off", rules: [] } }, tmpdir());
  const observed: Egress = {
    ...egress,
    serve(port, server) {
      ports.add(port);
      egress.serve(port, server);
      if (port === proxyPort) last.resolve();
    },
  };
  // The program must not end before its sockets are here.
  const argv = [(await findProgram("sleep")) ?? "/bin/sleep", String(Math.ceil(withinMs / 1_000))];
  let complaints: Promise<string> | undefined;
  const trial = { argv, means, hostUser: hostUserRange()?.first, egress: observed };
  await inTrialSandbox(trial, ({ stderr, exited }) => {
    complaints = text(stderr).catch(() => "");
    return withTimeout(withinMs, Promise.race([last.promise, exited]));
  }).catch(() => {});
  if (ports.has(transparentPort) && ports.has(namePort)) return undefined;
  return ((await complaints) ?? "").trim();
}

/** Runs `true` in a complete sandbox. Returns undefined if it works, otherwise bubblewrap's error. */
async function tryOut(means: Means, withinMs: number, hostUser?: number): Promise<string | undefined> {
  const argv = [(await findProgram("true")) ?? "/bin/true"];
  try {
    const ended = await inTrialSandbox({ argv, means, hostUser }, ({ stderr, exited }) =>
      withTimeout(withinMs, Promise.all([text(stderr), exited])),
    );
    if (ended === undefined) return `bwrap did not end within ${withinMs} ms`;
    const [stderr, exit] = ended;
    return exit.code === 0 ? undefined : stderr.trim() || `bwrap ended with ${exit.code ?? exit.signal}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

interface Trial {
  readonly argv: readonly string[];
  readonly means: Means;
  readonly hostUser: number | undefined;
  readonly egress?: Egress;
}

/** Runs `body` beside a program in a sandbox, which is killed and removed then. */
async function inTrialSandbox<T>(
  { argv, means, hostUser, egress }: Trial,
  body: (sandbox: Sandbox) => Promise<T>,
): Promise<T> {
  const slotDir = await mkdtemp(join(tmpdir(), "sandbox-probe-"));
  const background = createBackground();
  try {
    for (const name of ["workspace", "state", "image"]) await mkdir(join(slotDir, name));
    const imageDir = join(slotDir, "image");
    const files = { imageDir, readOnlyPaths: [], slotDir };
    const spec = { argv, env: {}, ...files, hostUser, network: "none", limits: {} } as const;
    const sandbox = await start(spec, means, launchersOf(means), background, egress);
    sandbox.stdout.resume();
    try {
      return await body(sandbox);
    } finally {
      await sandbox.kill();
      await background.done();
    }
  } finally {
    await rm(slotDir, { recursive: true, force: true });
  }
}

function describe(means: Means): Guarantees {
  return {
    isolated: true,
    filesystem: "private",
    users: means.giveSlot === undefined ? "shared" : "own",
    processes: "namespace",
    network: "enforced",
    limits: {
      memory: means.groups?.memory === undefined ? "watched" : "per_sandbox",
      processes: means.groups?.processes === undefined ? "watched" : "per_sandbox",
      cpu: means.groups?.cpu === undefined ? "none" : "per_sandbox",
      openFiles: "per_process",
      fileSize: "per_process",
      tmpSize: "per_sandbox",
      disk: "watched",
    },
    notes: [
      sharedKernelNote,
      ...noteMissingGroups(means.groups),
      ...(means.giveSlot === undefined ? [sharedUserNote] : []),
      ...(means.proxyOnly === undefined ? [] : [noteProxyOnly(means.proxyOnly)]),
      ...(isHostRoot() && means.giveSlot === undefined
        ? ["the worker runs as root: a program that escapes its sandbox is root; run the worker as another user"]
        : []),
      ...(isHostRoot() && means.devicesDir === undefined ? [sharedDevicesNote] : []),
    ],
  };
}
