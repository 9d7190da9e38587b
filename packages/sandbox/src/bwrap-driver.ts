// The bubblewrap driver: own user, pid, mount, ipc, uts and (for network: none) network namespaces, no capabilities.

import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { createBackground, type Background } from "./background.ts";
import {
  etcAdded,
  etcPaths,
  hostUserArguments,
  hostUserMap,
  innerId,
  insidePathOf,
  machineArguments,
  sandboxArguments,
} from "./bwrap-arguments.ts";
import { launcherPipes, mappedArguments, startLauncher, type Launcher } from "./bwrap-launcher.ts";
import { compiledProgram } from "./compiled-program.ts";
import { boundsTree, findGroupPlaces, groupCandidates, type GroupPlaces } from "./control-groups.ts";
import { openDeviceNodes } from "./device-nodes.ts";
import { openEgress, type Egress } from "./egress/egress.ts";
import { enterWords, findEnterProgram, type EnterProgram } from "./enter-program.ts";
import { namespacedSandbox } from "./namespaced-sandbox.ts";
import { openNamespaceShares, type NamespaceShares } from "./namespace-shares.ts";
import { findProgram, tryTimeoutMs } from "./programs.ts";
import { keepLauncherReady, type ReadyLauncher } from "./ready-launcher.ts";
import { isHostRoot, processesOfUser, processLimits, prlimitArguments } from "./rlimits.ts";
import { supervisedFilter, systemCallFilter } from "./seccomp/filter.ts";
import { hostUserRange } from "./host-users.ts";
import { checkSpec } from "./slot.ts";
import { findSlotGiver, type SlotGiver } from "./slot-giver.ts";
import type { Starter } from "./launch.ts";
import { findStarter, noStarterNote } from "./starter.ts";
import { openSystemFiles, type SystemFiles } from "./system-files.ts";
import { templateSandbox } from "./template/template.ts";
import {
  SandboxStartError,
  type Guarantees,
  type ProbeResult,
  type Sandbox,
  type SandboxDriver,
  type SandboxLimits,
  type SandboxSpec,
  type SandboxTemplate,
} from "./types.ts";
import { within } from "./within.ts";

interface Means {
  readonly bwrap: string;
  readonly prlimit: string | undefined;
  readonly machineArgs: readonly string[];
  readonly systemFiles: SystemFiles;
  readonly enter: EnterProgram | undefined;
  readonly starter: Starter | undefined;
  readonly groups: GroupPlaces | undefined;
  readonly shares: NamespaceShares | undefined;
  /** Of device nodes that are not the host's. */
  readonly devicesDir: string | undefined;
  /** Gives slots to host users; undefined where sandboxes run as this process's user. */
  readonly giveSlot: SlotGiver | undefined;
}

type Found = { readonly means: Means; readonly guarantees: Guarantees } | { readonly reason: string };

interface Launchers {
  take(limits: SandboxLimits, program: readonly string[]): Promise<Launcher>;
  /** Called when a sandbox has ended. */
  rest?(): void;
}

interface RunOptions {
  readonly background: Background;
  /** Default: one is opened where the spec has a policy. */
  readonly egress?: Egress | undefined;
  /** How many its user may have. */
  readonly processes: number | undefined;
  readonly unwatched?: AbortSignal;
  readonly onEnd?: () => void;
}

export interface BwrapOptions {
  /** The bubblewrap to use; default: the one in the system's directories. */
  readonly bwrapPath?: string;
  /** What opens the ports of an egress inside; default: the fastest that this machine has. */
  readonly enter?: EnterProgram;
  /** Default true: control groups are used where some can be made. */
  readonly controlGroups?: boolean;
  /** Default true: sandboxes run as the spec's host user where this machine can do that. */
  readonly hostUsers?: boolean;
  /** How long the first trial of each way of this machine may take. Milliseconds; default 10 s. */
  readonly tryWithinMs?: number;
  /** Whether a launcher waits for the next sandbox, from the first one on; `close` ends it. Default false. */
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
      // Without `enter` a launcher must know its program when it is started.
      const launchers = launchersOf(means);
      if (o.ahead !== true || means.enter === undefined) return start(spec, means, launchers, background);
      ready ??= keepLauncherReady((limits) => launchers.take(limits, []));
      return start(spec, means, ready, background);
    },
    async prepareTemplate(spec) {
      await checkSpec(spec);
      const result = await find();
      if ("reason" in result) throw new SandboxStartError(`bubblewrap cannot be used: ${result.reason}`);
      return startTemplate(spec, result.means, background);
    },
    async close() {
      await ready?.close();
      await background.done();
    },
  };
}

function launchersOf({ bwrap, enter, starter, groups }: Means): Launchers {
  return { take: (limits, program) => startLauncher({ bwrap, enter, starter, groups, limits, program }) };
}

/**
 * Its children are in user namespaces of their own, which are counted below it: what the options forbid everybody is
 * forbidden by its filter, and processes are counted by each child.
 */
async function startTemplate(
  spec: SandboxSpec,
  means: Means,
  background: Background,
): Promise<SandboxTemplate | undefined> {
  const { bwrap, enter, starter, groups, limits } = { ...means, ...spec };
  const filter = supervisedFilter("namespaces, template");
  const holder = await compiledProgram("template");
  if (enter === undefined || starter === undefined || filter === undefined || holder === undefined) return undefined;
  if (spec.network === "open") return undefined;
  const open: Means = { ...means, machineArgs: means.machineArgs.filter((word) => word !== "--disable-userns") };
  const launcher = await startLauncher({ bwrap, enter, starter, groups, limits, program: [], filter });
  let egress: Egress | undefined;
  try {
    egress = typeof spec.network === "object" ? openEgress(spec.network, spec.slotDir) : undefined;
  } catch (error) {
    await launcher.discard();
    throw error;
  }
  const held = new AbortController();
  const unwatched = held.signal;
  const base = await runIn(launcher, spec, open, { background, egress, processes: undefined, unwatched });
  const { init } = launcher;
  const onHeld = (): void => held.abort();
  const hostUser = hostUserOf(spec, means);
  const giveSlot = async (slotDir: string): Promise<void> => {
    if (hostUser !== undefined) await means.giveSlot?.({ slotDir }, hostUser);
  };
  return templateSandbox({ base, init, spec, hostUser, giveSlot, holder, starter, groups, egress, background, onHeld });
}

async function start(spec: SandboxSpec, means: Means, launchers: Launchers, background: Background): Promise<Sandbox> {
  const launcher = await launchers.take(spec.limits, programOf(spec, means));
  const processes = processesOfUser(spec.limits, hostUserOf(spec, means));
  const onEnd = (): void => launchers.rest?.();
  // Children of a template have bounds of their own, and their use is counted for the template's namespace as well.
  void launcher.init.then((init) => init !== undefined && means.shares?.apply(init.pid));
  return runIn(launcher, spec, means, { background, processes, onEnd });
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
      hostUser === undefined ? means.machineArgs : [...hostUserArguments(means.machineArgs), ...mappedArguments];
    egress ??= typeof spec.network === "object" ? openEgress(spec.network, spec.slotDir) : undefined;
    launcher.run({
      options: [...machineArgs, ...sandboxArguments(spec, means.enter, means.systemFiles.dir, egress?.trustDir)],
      words: enterWords({
        ports: means.enter === undefined ? [] : (egress?.ports ?? []),
        limits: processLimits(spec.limits, { processes }),
        user: hostUser === undefined ? undefined : innerId,
        argv: insideArgv(spec),
      }),
      idMap: hostUser === undefined ? undefined : hostUserMap(hostUser),
      onServer: (port, server) => egress?.serve(port, server),
    });
    return namespacedSandbox(spec, {
      program: launcher,
      egress,
      background,
      hostUser,
      isBounded: boundsTree(means.groups),
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

/** Undefined where the sandbox runs as this process's user. */
function hostUserOf({ hostUser }: SandboxSpec, { giveSlot }: Means): number | undefined {
  return giveSlot === undefined ? undefined : hostUser;
}

const insideArgv = (spec: SandboxSpec): string[] => spec.argv.map((word) => insidePathOf(spec, word));

/** What bubblewrap executes where there is no `enter`. */
function programOf(spec: SandboxSpec, { prlimit }: Means): readonly string[] {
  const processes = processesOfUser(spec.limits, undefined);
  const bounds = prlimit === undefined ? [] : prlimitArguments(prlimit, spec.limits, { processes });
  return [...bounds, ...insideArgv(spec)];
}

async function findMeans(o: BwrapOptions): Promise<Found> {
  if (process.platform !== "linux") return { reason: "it exists on Linux only" };
  const bwrap = o.bwrapPath ?? (await findProgram("bwrap"));
  if (bwrap === undefined) return { reason: "the program bwrap was not found; install the package bubblewrap" };
  const [prlimit, enter, starter, groups, devicesDir, shares] = await Promise.all([
    findProgram("prlimit"),
    o.enter ?? findEnterProgram(),
    findStarter({ pipes: launcherPipes(), isFollowed: true }),
    o.controlGroups === false ? undefined : findGroupPlaces(),
    isHostRoot() ? openDeviceNodes() : undefined,
    openNamespaceShares(),
  ]);
  let systemFiles: SystemFiles;
  try {
    systemFiles = await openSystemFiles(etcPaths, etcAdded);
  } catch (error) {
    return { reason: `the files of /etc cannot be copied: ${(error as Error).message}` };
  }
  const withinMs = o.tryWithinMs ?? tryTimeoutMs;
  const reasons: string[] = [];
  for (const disableUserNamespaces of [true, false]) {
    for (const candidate of groupCandidates(groups)) {
      const machineArgs = machineArguments({ disableUserNamespaces, devicesDir });
      const found = { bwrap, prlimit, systemFiles, enter, starter, devicesDir, shares, machineArgs };
      const base = { ...found, groups: candidate };
      const reason = await tryOut({ ...base, giveSlot: undefined }, withinMs);
      if (reason === undefined) {
        const means = { ...base, giveSlot: o.hostUsers === false ? undefined : await findHostUsers(base, withinMs) };
        return { means, guarantees: describe(means, disableUserNamespaces) };
      }
      reasons.push(reason);
    }
  }
  return { reason: `${reasons.at(-1)}; unprivileged user namespaces and mounts of /proc must be allowed here` };
}

/** What gives slots to host users, where a sandbox of one runs; undefined where none does. */
async function findHostUsers(means: Omit<Means, "giveSlot">, withinMs: number): Promise<SlotGiver | undefined> {
  const range = hostUserRange();
  const giveSlot = await findSlotGiver();
  if (range === undefined || giveSlot === undefined || means.enter?.canSwitchUser !== true) return undefined;
  // Nothing else would keep such a sandbox from making user namespaces; see `hostUserArguments`.
  if (systemCallFilter() === undefined) return undefined;
  const reason = await tryOut({ ...means, giveSlot }, withinMs, range.first);
  return reason === undefined ? giveSlot : undefined;
}

/** Starts `true` in a whole sandbox; undefined when it works, else what bubblewrap said. */
async function tryOut(means: Means, withinMs: number, hostUser?: number): Promise<string | undefined> {
  const nothing = (await findProgram("true")) ?? "/bin/true";
  const slotDir = await mkdtemp(join(tmpdir(), "sandbox-probe-"));
  const background = createBackground();
  try {
    for (const name of ["workspace", "state", "image"]) await mkdir(join(slotDir, name));
    const sandbox = await start(
      {
        argv: [nothing],
        env: {},
        imageDir: join(slotDir, "image"),
        readOnlyPaths: [],
        slotDir,
        hostUser,
        network: "none",
        limits: {},
      },
      means,
      launchersOf(means),
      background,
    );
    sandbox.stdout.resume();
    const ended = await within(withinMs, Promise.all([text(sandbox.stderr), sandbox.exited]));
    await sandbox.kill();
    await background.done();
    if (ended === undefined) return `bwrap did not end within ${withinMs} ms`;
    const [said, exit] = ended;
    return exit.code === 0 ? undefined : said.trim() || `bwrap ended with ${exit.code ?? exit.signal}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await rm(slotDir, { recursive: true, force: true });
  }
}

function describe(means: Means, userNamespacesDisabled: boolean): Guarantees {
  const perProcess = means.enter === undefined && means.prlimit === undefined ? "none" : "per_process";
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
      openFiles: perProcess,
      fileSize: perProcess,
      tmpSize: "per_sandbox",
      disk: "watched",
    },
    notes: [
      systemCallFilter() === undefined
        ? `the kernel is shared with the host, and there is no filter of system calls for ${process.arch}`
        : "the kernel is shared with the host, behind a filter of system calls",
      ...(boundsTree(means.groups)
        ? []
        : ["no control groups can be made here: memory and processes are looked at five times a second instead"]),
      ...(means.groups?.cpu === undefined
        ? ["no control group shares out processor time here: an agent of many processes takes more of it than others"]
        : []),
      ...(means.enter === undefined
        ? ["no proxy can be opened here: that needs a C compiler or Python 3.9, so agents have no network at all"]
        : []),
      ...(means.giveSlot === undefined
        ? ["sandboxes share the worker's user, and with it what the kernel counts per user"]
        : []),
      ...(isHostRoot() && means.giveSlot === undefined
        ? ["the worker runs as root: a program that escaped would be root"]
        : []),
      ...(isHostRoot() && means.devicesDir === undefined
        ? ["no device nodes can be made here: an agent may change the mode of the host's /dev/null and its like"]
        : []),
      ...(means.starter === undefined ? [noStarterNote] : []),
      ...(userNamespacesDisabled || systemCallFilter() !== undefined
        ? []
        : ["programs may make user namespaces of their own"]),
    ],
  };
}
