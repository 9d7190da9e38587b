// The bubblewrap driver: own user, pid, mount, ipc, uts and (for network: none) network namespaces, no capabilities.

import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { insidePaths, machineArguments, sandboxArguments } from "./bwrap-arguments.ts";
import { createGroup, findGroupPlaces, type ControlGroup, type GroupPlaces } from "./control-groups.ts";
import { openEgress, type Egress } from "./egress/egress.ts";
import { findEnterProgram, type EnterProgram } from "./enter-program.ts";
import { exitThroughLauncher, launch, type Launched } from "./launch.ts";
import { readProcess, type ProcessIdentity } from "./proc.ts";
import { namespaceTree } from "./process-tree.ts";
import { findProgram } from "./programs.ts";
import { isHostRoot, prlimitArguments } from "./rlimits.ts";
import { systemCallFilter } from "./seccomp/filter.ts";
import { checkSpec, workingFolders } from "./slot.ts";
import {
  SandboxStartError,
  type Guarantees,
  type ProbeResult,
  type Sandbox,
  type SandboxDriver,
  type SandboxExit,
  type SandboxSpec,
  type SandboxUsage,
} from "./types.ts";
import { watchSandbox } from "./watch.ts";

interface Means {
  readonly bwrap: string;
  readonly prlimit: string | undefined;
  readonly machineArgs: readonly string[];
  readonly enter: EnterProgram | undefined;
  readonly groups: GroupPlaces | undefined;
}

type Found = { readonly means: Means; readonly guarantees: Guarantees } | { readonly reason: string };

export interface BwrapOptions {
  /** The bubblewrap to use; default: the one in the system's directories. */
  readonly bwrapPath?: string;
  /** What opens the ports of an egress inside; default: the fastest that this machine has. */
  readonly enter?: EnterProgram;
  /** Default true: control groups are used where some can be made. */
  readonly controlGroups?: boolean;
}

export function createBwrapDriver(o: BwrapOptions = {}): SandboxDriver {
  let found: Promise<Found> | undefined;
  const find = (): Promise<Found> => (found ??= findMeans(o));
  return {
    name: "bwrap",
    async probe(): Promise<ProbeResult> {
      const result = await find();
      return "reason" in result ? { ok: false, reason: result.reason } : { ok: true, guarantees: result.guarantees };
    },
    async prepare(spec) {
      await checkSpec(spec);
      const result = await find();
      if ("reason" in result) throw new SandboxStartError(`bubblewrap cannot be used: ${result.reason}`);
      return start(spec, result.means);
    },
  };
}

async function start(spec: SandboxSpec, means: Means): Promise<Sandbox> {
  const egress = typeof spec.network === "object" ? openEgress(spec.network) : undefined;
  const group = means.groups === undefined ? undefined : await createGroup(means.groups, spec.limits);
  try {
    return await startIn(spec, means, egress, group);
  } catch (error) {
    egress?.close();
    await group?.remove();
    throw error;
  }
}

async function startIn(
  spec: SandboxSpec,
  means: Means,
  egress: Egress | undefined,
  group: ControlGroup | undefined,
): Promise<Sandbox> {
  const { launched, status } = await launchIn(spec, means, egress, group);
  const tree = namespaceTree({ launcherPid: launched.pid, launcherExited: launched.exited, init: status.init });
  let dir = spec.slotDir;
  let folders = workingFolders(dir);
  const watch = watchSandbox({
    slotDir: () => dir,
    limits: spec.limits,
    init: boundsTree(means) ? undefined : status.init.then((init) => init?.pid),
    onExceeded: () => void tree.kill().catch(() => {}),
  });
  let usage: SandboxUsage = {};
  async function kill(): Promise<void> {
    await tree.kill();
    watch.stop();
    egress?.close();
    usage = {
      exceeded: (await group?.exceeded()) ?? watch.exceeded(),
      peakMemoryBytes: await group?.peakMemoryBytes(),
    };
    await group?.remove();
    await spec.mounts?.detach(spec.slotDir);
    await folders.removeUnused();
  }
  async function claim(turnDir = spec.slotDir): Promise<void> {
    if (turnDir !== spec.slotDir) {
      if (spec.mounts === undefined) throw new TypeError("only a sandbox with mounts can be claimed for a directory");
      dir = turnDir;
      folders = workingFolders(turnDir);
      await spec.mounts.attach(turnDir, spec.slotDir);
    }
    await folders.create();
  }
  let killed: Promise<void> | undefined;
  return {
    channel: launched.channel,
    stdout: launched.stdout,
    stderr: launched.stderr,
    paths: insidePaths,
    pid: launched.pid,
    exited: Promise.all([launched.exited, status.programRan]).then(([exit, ran]) => describeExit(exit, ran)),
    claim,
    kill: () => (killed ??= kill()),
    collect: () => Promise.resolve(usage),
  };
}

/** Bubblewrap waits for its options, so it is in its group, limits and all, before it starts anything. */
async function launchIn(
  spec: SandboxSpec,
  means: Means,
  egress: Egress | undefined,
  group: ControlGroup | undefined,
): Promise<{ launched: Launched; status: ReturnType<typeof readStatus> }> {
  const rlimits =
    means.prlimit === undefined ? [] : prlimitArguments(means.prlimit, spec.limits, { countsProcesses: !isHostRoot() });
  const enter = egress === undefined ? undefined : means.enter;
  const filter = systemCallFilter();
  const launched = await launch({
    command: means.bwrap,
    args: [
      ...["--args", "5", "--json-status-fd", "4"],
      ...(filter === undefined ? [] : ["--seccomp", "6"]),
      "--",
      ...(enter === undefined ? [] : [...enter.argv, egress!.ports.join(",")]),
      ...rlimits,
      ...spec.argv,
    ],
    // Options travel through a pipe: bubblewrap itself must not see the program's environment (LD_PRELOAD would be
    // obeyed outside the sandbox), and a command line can be read by every user of the host.
    env: {},
    cwd: "/",
    launcherPipes: filter === undefined ? 2 : 3,
    ...(enter === undefined ? {} : { onServer: (port, server) => egress!.serve(port, server) }),
  });
  const [statusPipe, argsPipe, filterPipe] = launched.launcherPipes as [Duplex, Duplex, Duplex?];
  const status = readStatus(statusPipe);
  try {
    await group?.join(launched.pid);
  } catch (cause) {
    argsPipe.destroy();
    await launched.exited;
    throw new SandboxStartError("the sandbox's control group cannot be entered", { cause });
  }
  filterPipe?.end(filter);
  const options = [...means.machineArgs, ...sandboxArguments(spec, enter)];
  argsPipe.end(options.map((option) => `${option}\0`).join(""));
  return { launched, status };
}

/** Whether control groups bound memory and processes of the sandbox as a whole. */
function boundsTree({ groups }: Means): boolean {
  return groups?.memory !== undefined && groups.processes !== undefined;
}

/** Bubblewrap reports an exit code on its status pipe only for a program that it could execute. */
function describeExit(exit: SandboxExit, programRan: boolean): SandboxExit {
  if (programRan || exit.signal !== null || exit.code === null || exit.code > 128) return exitThroughLauncher(exit);
  return { ...exit, startError: "bubblewrap could not set up the sandbox or execute the program; its stderr says why" };
}

function readStatus(pipe: Readable): { init: Promise<ProcessIdentity | undefined>; programRan: Promise<boolean> } {
  const init = Promise.withResolvers<ProcessIdentity | undefined>();
  const programRan = Promise.withResolvers<boolean>();
  let seen = "";
  pipe.setEncoding("latin1");
  pipe.on("data", (chunk: string) => {
    seen += chunk;
    const pid = /"child-pid": (\d+)\D/.exec(seen)?.[1];
    if (pid !== undefined) readProcess(Number(pid)).then(init.resolve, init.reject);
  });
  pipe.once("close", () => {
    if (!seen.includes('"child-pid"')) init.resolve(undefined);
    programRan.resolve(seen.includes('"exit-code"'));
  });
  return { init: init.promise, programRan: programRan.promise };
}

async function findMeans(o: BwrapOptions): Promise<Found> {
  if (process.platform !== "linux") return { reason: "it exists on Linux only" };
  const bwrap = o.bwrapPath ?? (await findProgram("bwrap"));
  if (bwrap === undefined) return { reason: "the program bwrap was not found; install the package bubblewrap" };
  const [prlimit, enter, groups] = await Promise.all([
    findProgram("prlimit"),
    o.enter ?? findEnterProgram(),
    o.controlGroups === false ? undefined : findGroupPlaces(),
  ]);
  // A group that cannot be entered is no reason to have no sandbox.
  const candidates = [groups, undefined].slice(groups === undefined ? 1 : 0);
  const reasons: string[] = [];
  for (const disableUserNamespaces of [true, false]) {
    for (const candidate of candidates) {
      const machineArgs = machineArguments({ disableUserNamespaces });
      const means = { bwrap, prlimit, enter, groups: candidate, machineArgs };
      const reason = await tryOut(means);
      if (reason === undefined) return { means, guarantees: describe(means, disableUserNamespaces) };
      reasons.push(reason);
    }
  }
  return { reason: `${reasons.at(-1)}; unprivileged user namespaces and mounts of /proc must be allowed here` };
}

/** Starts `true` in a whole sandbox; undefined when it works, else what bubblewrap said. */
async function tryOut(means: Means): Promise<string | undefined> {
  const nothing = (await findProgram("true")) ?? "/bin/true";
  const slotDir = await mkdtemp(join(tmpdir(), "sandbox-probe-"));
  try {
    for (const name of ["workspace", "state", "image"]) await mkdir(join(slotDir, name));
    const sandbox = await start(
      {
        argv: [nothing],
        env: {},
        imageDir: join(slotDir, "image"),
        readOnlyPaths: [],
        slotDir,
        network: "none",
        limits: {},
      },
      means,
    );
    sandbox.stdout.resume();
    const [said, exit] = await Promise.all([text(sandbox.stderr), sandbox.exited]);
    await sandbox.kill();
    return exit.code === 0 ? undefined : said.trim() || `bwrap ended with ${exit.code ?? exit.signal}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await rm(slotDir, { recursive: true, force: true });
  }
}

function describe(means: Means, userNamespacesDisabled: boolean): Guarantees {
  const perProcess = means.prlimit === undefined ? "none" : "per_process";
  return {
    isolated: true,
    filesystem: "private",
    processes: "namespace",
    network: "enforced",
    limits: {
      memory: "per_sandbox",
      processes: "per_sandbox",
      openFiles: perProcess,
      fileSize: perProcess,
      tmpSize: "per_sandbox",
      disk: "watched",
    },
    notes: [
      systemCallFilter() === undefined
        ? `the kernel is shared with the host, and there is no filter of system calls for ${process.arch}`
        : "the kernel is shared with the host, behind a filter of system calls",
      ...(boundsTree(means)
        ? []
        : ["no control groups can be made here: memory and processes are looked at five times a second instead"]),
      ...(means.enter === undefined
        ? ["no proxy can be opened here: that needs a C compiler or Python 3.9, so agents have no network at all"]
        : []),
      ...(isHostRoot() ? ["the worker runs as root: a program that escaped would be root"] : []),
      ...(userNamespacesDisabled || systemCallFilter() !== undefined
        ? []
        : ["programs may make user namespaces of their own"]),
    ],
  };
}
