// The driver for machines without namespaces. Isolates by a separate user, Landlock and a system call filter. A small
// program beside the agent's opens its sockets, and kills all processes at the end (confine.c of @dari/native).

import { chmod, lchown, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { egressEnvironment } from "@dari/gateway";
import { nativeCommand, nativeProblem, removeTree } from "@dari/native";
import {
  canBoundTree,
  findControlGroupDirs,
  groupCandidates,
  type ControlGroup,
  type ControlGroupDirs,
} from "../limits/control-groups.ts";
import { launchInGroup } from "../limits/launch-in-group.ts";
import { decodeLauncherExit, type LaunchedProcess, type Starter } from "../launch/launch-process.ts";
import { noteMissingGroups, sharedKernelNote } from "../machine/guarantee-notes.ts";
import { findProgram, tryTimeoutMs } from "../launch/find-programs.ts";
import { isHostRoot } from "../limits/rlimits.ts";
import { supervisedFilter } from "../seccomp/filter.ts";
import { checkSpec, diskTmpOf, programEnvironment, openWorkingFolders } from "../slots/slot.ts";
import { findStarter, starterUnavailable } from "../launch/starter.ts";
import {
  SandboxStartError,
  type Guarantees,
  type ProbeResult,
  type Sandbox,
  type SandboxDriver,
  type SandboxExit,
  type SandboxSpec,
  type SandboxUsage,
} from "../types.ts";
import { watchSandbox } from "../limits/watch-sandbox.ts";
import { withTimeout } from "../launch/with-timeout.ts";
import { runNative, changeOwner } from "../launch/run-native.ts";
import { createConfinedTree } from "./confined-tree.ts";
import { encodeConfinement, confinedDirectories } from "./confinement.ts";
import { portsPerPlace, takeUserAndPorts, type UserAndPorts } from "./user-and-ports.ts";
import { makeAncestorsSearchable } from "./searchable-ancestors.ts";
import { openLandlockEgress, type LandlockEgress } from "./landlock-egress.ts";

/** Number of pipes: one for the input, one for the system call filter. */
const launcherPipes = 2;

interface Means {
  readonly starter: Starter;
  /** See `LandlockOptions`. */
  readonly ownDir: string;
  /** The Landlock version. */
  readonly version: number;
  readonly groups: ControlGroupDirs | undefined;
}

type Found = { readonly means: Means; readonly guarantees: Guarantees } | { readonly reason: string };

/** The first Landlock version with rules for ports. Without them, agents could reach all servers on loopback. */
const versionMin = 4;
/** The newest Landlock version whose rules this code knows. */
const versionMax = 7;

export interface LandlockOptions {
  /**
   * The directory in which this process creates the directories of sandboxes (default: the directory for temporary
   * files). Directories in it that a sandbox's user could not enter become searchable for everyone.
   */
  readonly ownDir?: string;
  /** Maximum Landlock version to use, for tests of older kernels. */
  readonly versionMax?: number;
  /** Whether to use control groups if possible (default: true). */
  readonly controlGroups?: boolean;
}

export function createLandlockDriver(o: LandlockOptions = {}): SandboxDriver {
  let found: Promise<Found> | undefined;
  const find = (): Promise<Found> => (found ??= findMeans(o));
  return {
    name: "landlock",
    canFork: false,
    canRest: false,
    canMountWhileRunning: false,
    picksHostUser: true,
    async probe(): Promise<ProbeResult> {
      const result = await find();
      return "reason" in result ? { ok: false, reason: result.reason } : { ok: true, guarantees: result.guarantees };
    },
    async prepare(spec) {
      await checkSpec(spec);
      if (spec.mounts !== undefined)
        throw new SandboxStartError("the driver landlock cannot mount a directory into a running sandbox");
      const result = await find();
      if ("reason" in result) throw new SandboxStartError(`landlock cannot be used: ${result.reason}`);
      return start(spec, result.means);
    },
    prepareTemplate: () => Promise.resolve(undefined),
  };
}

/** What one sandbox holds until it is killed. */
interface Holds {
  readonly place: UserAndPorts;
  readonly wayOut: LandlockEgress | undefined;
}

async function start(spec: SandboxSpec, means: Means): Promise<Sandbox> {
  const place = await takeUserAndPorts();
  if (place === undefined)
    throw new SandboxStartError(
      "limit reached: no user and ports are free for another sandbox of the driver landlock; run fewer turns",
    );
  const undo: (() => unknown)[] = [() => place.leave()];
  try {
    const wayOut =
      typeof spec.network === "object" ? await openLandlockEgress(spec.network, spec.slotDir, place) : undefined;
    undo.push(() => wayOut?.close());
    return await startIn(spec, means, { place, wayOut });
  } catch (error) {
    for (const each of undo.reverse()) await each();
    throw error;
  }
}

async function startIn(spec: SandboxSpec, means: Means, holds: Holds): Promise<Sandbox> {
  const { slotDir } = spec;
  const { workspace, state, tmp } = confinedDirectories(slotDir);
  const { launched, group, complaint } = await launchIn(spec, means, holds);
  const { user } = holds.place;
  const tree = createConfinedTree({ launched, control: launched.launcherPipes[0]!, user });
  const folders = openWorkingFolders(slotDir);
  const watch = watchSandbox({
    slotDir: () => slotDir,
    folders: ["workspace", "state", ...(spec.diskTmpBytes === undefined ? ["tmp"] : [])],
    diskTmp: diskTmpOf(spec),
    limits: spec.limits,
    init: Promise.resolve(launched.pid),
    isBounded: canBoundTree(means.groups),
    cpuSeconds: group?.cpuSeconds,
    refusedProcesses: group?.refusedProcesses,
    onExceeded: () => void tree.kill().catch(() => {}),
  });
  let usage: SandboxUsage = {};
  async function kill(): Promise<void> {
    await tree.kill();
    watch.stop();
    holds.wayOut?.close();
    // Take the slot back, so that no other user can enter it. Release the user and ports even if that fails.
    await lchown(slotDir, process.getuid!(), process.getgid!()).finally(() => holds.place.leave());
    usage = {
      exceeded: group?.exceeded() ?? watch.exceeded(),
      peakMemoryBytes: group?.peakMemoryBytes(),
    };
    await group?.remove();
    await removeTree(tmp);
    await folders.removeUnused();
  }
  async function claim(turnDir = slotDir): Promise<void> {
    if (turnDir !== slotDir)
      throw new TypeError("a sandbox of the driver landlock cannot be claimed for another directory than its slot");
    await folders.create();
    await changeOwner(user, [workspace, state]);
  }
  let killed: Promise<void> | undefined;
  return {
    channel: launched.channel,
    stdout: launched.stdout,
    stderr: launched.stderr,
    paths: { workspace, state, image: spec.imageDir },
    pid: launched.pid,
    exited: Promise.all([launched.exited, complaint]).then(([exit, said]) => describeExit(exit, said)),
    claim,
    kill: () => (killed ??= kill()),
    collect: () => Promise.resolve(usage),
  };
}

/** Launches the program. It enters its control group before it gets its command. */
async function launchIn(
  asked: SandboxSpec,
  means: Means,
  { place, wayOut }: Holds,
): Promise<{ launched: LaunchedProcess; group: ControlGroup | undefined; complaint: Promise<string> }> {
  const trust = wayOut?.trustDir === undefined ? [] : [wayOut.trustDir];
  const spec = { ...asked, readOnlyPaths: [...asked.readOnlyPaths, ...trust] };
  const { workspace, state, tmp } = confinedDirectories(spec.slotDir);
  await mkdir(tmp, { recursive: true, mode: 0o700 });
  await Promise.all([
    makeAncestorsSearchable([spec.slotDir, spec.imageDir, ...spec.readOnlyPaths], means.ownDir),
    chmod(spec.slotDir, 0o700),
  ]);
  const proxied = wayOut === undefined ? {} : egressEnvironment(wayOut.port, wayOut.trustDir);
  const words = await encodeConfinement({
    spec,
    env: { ...programEnvironment(spec, { home: state, tmp }), ...proxied },
    place,
    version: means.version,
    ...{ workspace, state, tmp },
    imageDir: spec.imageDir,
    ports: wayOut === undefined ? [] : [wayOut.port, ...wayOut.directPorts],
  });
  const [command, ...args] = [...nativeCommand("confine"), "run"];
  const { launched, group } = await launchInGroup(means.groups, spec.limits, {
    command,
    args,
    env: {},
    cwd: "/",
    complaintsTo: 4,
    starter: means.starter,
  });
  const [control, filterPipe] = launched.launcherPipes as [Duplex, Duplex];
  const complaint = text(control).catch(() => "");
  filterPipe.end(supervisedFilter(spec.network === "open" ? "none, open network" : "none"));
  control.write(words);
  return { launched, group, complaint };
}

function describeExit(exit: SandboxExit, complaint: string): SandboxExit {
  if (complaint === "") return decodeLauncherExit(exit);
  const hint = complaint.includes("ermission denied")
    ? "; the sandbox's user must be allowed to enter every directory above it (chmod o+x)"
    : "";
  return { ...exit, startError: `${complaint.trim()}${hint}` };
}

async function findMeans(o: LandlockOptions): Promise<Found> {
  const problem = nativeProblem();
  if (problem !== undefined) return { reason: problem };
  if (!isHostRoot()) return { reason: "each sandbox needs a user of its own, so the worker must run as root" };
  const kernels = Number(await runNative("confine", ["abi"]));
  if (kernels < versionMin) {
    const has =
      kernels === 0 ? "has no Landlock, or does not allow it in this container" : `has version ${kernels} of Landlock`;
    return { reason: `the kernel ${has}; at least version ${versionMin} is needed (Linux 6.7)` };
  }
  const version = Math.min(kernels, o.versionMax ?? versionMax);
  const groups = o.controlGroups === false ? undefined : await findControlGroupDirs();
  // The started programs end by themselves when this process has ended. If they were killed with the starter, they
  // could not kill the agents' processes.
  const starter = await findStarter({ pipes: 3 + launcherPipes, isFollowed: false });
  if (starter === undefined) return { reason: starterUnavailable };
  const reasons: string[] = [];
  for (const candidate of groupCandidates(groups)) {
    const means = { starter, version, groups: candidate, ownDir: o.ownDir ?? tmpdir() };
    const reason = await tryOut(means);
    if (reason === undefined) return { means, guarantees: describe(means, kernels) };
    reasons.push(reason);
  }
  return { reason: reasons.at(-1)! };
}

/** Creates what an agent may leave: a directory that only its user can enter. */
const locked = "umask 077 && mkdir locked && echo written > locked/file && chmod 0 locked";

/** Runs a program in a complete sandbox. Returns undefined if everything works, otherwise the error. */
async function tryOut(means: Means): Promise<string | undefined> {
  const shell = (await findProgram("sh")) ?? "/bin/sh";
  const root = await mkdtemp(join(means.ownDir, "sandbox-probe-"));
  try {
    const [slotDir, imageDir] = [join(root, "slot"), join(root, "image")];
    const [workspace, state] = [join(slotDir, "workspace"), join(slotDir, "state")];
    for (const dir of [imageDir, workspace, state]) await mkdir(dir, { recursive: true });
    const network = { policy: { mode: "off", rules: [] } } as const;
    const spec = { argv: [shell, "-c", locked], env: {}, imageDir, readOnlyPaths: [], slotDir, network, limits: {} };
    const sandbox = await start(spec, means);
    try {
      for (const stream of [sandbox.stdout, sandbox.stderr]) stream.resume();
      const exit = await withTimeout(tryTimeoutMs, sandbox.exited);
      if (exit === undefined) return `its program did not end within ${tryTimeoutMs} ms`;
      if (exit.code !== 0) return exit.startError ?? `its program ended with ${exit.code ?? exit.signal}`;
    } finally {
      await sandbox.kill();
    }
    await readFile(join(workspace, "locked", "file"));
    await chmod(join(workspace, "locked"), 0o755);
    return undefined;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const isDenied = code === "EACCES" || code === "EPERM";
    return isDenied
      ? "the worker cannot read directories that an agent has locked; give it the capabilities DAC_OVERRIDE and FOWNER"
      : message;
  } finally {
    await rm(root, { recursive: true, force: true }).catch(() => {});
  }
}

function describe(means: Means, kernels: number): Guarantees {
  const { version, groups } = means;
  return {
    isolated: true,
    filesystem: "rules",
    users: "own",
    processes: "user",
    network: "enforced",
    limits: {
      memory: groups?.memory === undefined ? "watched" : "per_sandbox",
      processes: groups?.processes === undefined ? "watched" : "per_sandbox",
      cpu: groups?.cpu === undefined ? "none" : "per_sandbox",
      openFiles: "per_process",
      fileSize: "per_process",
      tmpSize: "watched",
      disk: "watched",
    },
    notes: [
      sharedKernelNote,
      `Landlock version ${version} restricts files and ports (the kernel has version ${kernels})`,
      "no namespaces: agents can see which paths, processes and network interfaces exist on this machine",
      "agents connect directly, without the proxy, to loopback ports that the operator opened",
      ...(version < 6
        ? ["this version of Landlock does not restrict signals: only the sandbox's separate user does"]
        : []),
      ...noteMissingGroups(groups),
      `agents can reach a server that starts to listen on one of the sandbox's ${portsPerPlace} loopback ports`,
    ],
  };
}
