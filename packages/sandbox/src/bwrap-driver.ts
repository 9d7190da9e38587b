// The bubblewrap driver: own user, pid, mount, ipc, uts and (for network: none) network namespaces, no capabilities.

import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { insidePaths, machineArguments, sandboxArguments } from "./bwrap-arguments.ts";
import { exitThroughLauncher, launch } from "./launch.ts";
import { readProcess, type ProcessIdentity } from "./proc.ts";
import { namespaceTree } from "./process-tree.ts";
import { findProgram } from "./programs.ts";
import { isHostRoot, prlimitArguments } from "./rlimits.ts";
import { checkSpec, workingFolders } from "./slot.ts";
import {
  SandboxStartError,
  type Guarantees,
  type ProbeResult,
  type Sandbox,
  type SandboxDriver,
  type SandboxExit,
  type SandboxSpec,
} from "./types.ts";

interface Means {
  readonly bwrap: string;
  readonly prlimit: string | undefined;
  readonly machineArgs: readonly string[];
}

type Found = { readonly means: Means; readonly guarantees: Guarantees } | { readonly reason: string };

/** `bwrapPath` names the bubblewrap to use; without it, the one in the system's directories. */
export function createBwrapDriver(o: { bwrapPath?: string } = {}): SandboxDriver {
  let found: Promise<Found> | undefined;
  const find = (): Promise<Found> => (found ??= findMeans(o.bwrapPath));
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
  const rlimits =
    means.prlimit === undefined ? [] : prlimitArguments(means.prlimit, spec.limits, { countsProcesses: !isHostRoot() });
  const launched = await launch({
    command: means.bwrap,
    args: ["--args", "5", "--json-status-fd", "4", "--", ...rlimits, ...spec.argv],
    // Options travel through a pipe: bubblewrap itself must not see the program's environment (LD_PRELOAD would be
    // obeyed outside the sandbox), and a command line can be read by every user of the host.
    env: {},
    cwd: "/",
    launcherPipes: 2,
  });
  const [statusPipe, argsPipe] = launched.launcherPipes as [Duplex, Duplex];
  const options = [...means.machineArgs, ...sandboxArguments(spec)];
  argsPipe.end(options.map((option) => `${option}\0`).join(""));
  const status = readStatus(statusPipe);
  const tree = namespaceTree({ launcherPid: launched.pid, launcherExited: launched.exited, init: status.init });
  const folders = workingFolders(spec.slotDir);
  let killed: Promise<void> | undefined;
  return {
    channel: launched.channel,
    stdout: launched.stdout,
    stderr: launched.stderr,
    paths: insidePaths,
    pid: launched.pid,
    exited: Promise.all([launched.exited, status.programRan]).then(([exit, ran]) => describeExit(exit, ran)),
    claim: () => folders.create(),
    kill: () => (killed ??= tree.kill().then(() => folders.removeUnused())),
    collect: () => Promise.resolve({ oomKilled: false }),
  };
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

async function findMeans(bwrapPath: string | undefined): Promise<Found> {
  if (process.platform !== "linux") return { reason: "it exists on Linux only" };
  const bwrap = bwrapPath ?? (await findProgram("bwrap"));
  if (bwrap === undefined) return { reason: "the program bwrap was not found; install the package bubblewrap" };
  const prlimit = await findProgram("prlimit");
  const reasons: string[] = [];
  for (const disableUserNamespaces of [true, false]) {
    const means = { bwrap, prlimit, machineArgs: machineArguments({ disableUserNamespaces }) };
    const reason = await tryOut(means);
    if (reason === undefined) return { means, guarantees: describe(means, disableUserNamespaces) };
    reasons.push(reason);
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
  const countsProcesses = means.prlimit !== undefined && !isHostRoot();
  return {
    isolated: true,
    filesystem: "private",
    processes: "namespace",
    network: "enforced",
    limits: {
      memory: perProcess,
      processes: countsProcesses ? "per_sandbox" : "none",
      openFiles: perProcess,
      fileSize: perProcess,
      tmpSize: "per_sandbox",
    },
    notes: [
      "the kernel is shared with the host, and no system call is filtered",
      "memory is bounded per process, not for the sandbox as a whole",
      "network: open shares the host's network, so services on the host's loopback can be reached",
      ...(isHostRoot()
        ? ["the worker runs as root: the number of processes is not bounded, and a program that escaped would be root"]
        : []),
      ...(userNamespacesDisabled ? [] : ["programs may make user namespaces of their own"]),
    ],
  };
}
