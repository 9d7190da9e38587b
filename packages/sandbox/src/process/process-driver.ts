// The driver for development: a child process with a clean environment, NOT ISOLATED. It guarantees only that the whole
// process tree is dead after `kill`, by a pid namespace if the machine allows one.

import { randomUUID } from "node:crypto";
import { access, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { decodeLauncherExit, launch, type LaunchedProcess } from "../launch/launch-process.ts";
import { childrenOf, readProcess, type ProcessIdentity } from "../processes/read-proc.ts";
import {
  createGroupTree,
  createMarkedTree,
  createNamespaceTree,
  type ProcessTree,
} from "../processes/kill-process-tree.ts";
import { findProgram, exitsSuccessfully } from "../launch/find-programs.ts";
import { isHostRoot, prlimitArguments } from "../limits/rlimits.ts";
import { checkSpec, programEnvironment, openWorkingFolders } from "../slots/slot.ts";
import type { Guarantees, Sandbox, SandboxDriver, SandboxSpec } from "../types.ts";

/** How the tree is tracked. `enter` is the command that creates the namespace with an init. */
type Hold =
  | { readonly kind: "namespace"; readonly enter: readonly string[]; readonly ownUserNamespace: boolean }
  | { readonly kind: "tracked" }
  | { readonly kind: "group" };

interface Means {
  readonly hold: Hold;
  readonly prlimit: string | undefined;
}

const markName = "SANDBOX_MARK";

/** Creates the driver. `hold`: how the process tree is tracked (default: the best way that works, chosen once). */
export function createProcessDriver(o: { hold?: "tracked" | "group" } = {}): SandboxDriver {
  let means: Promise<Means> | undefined;
  const findMeans = (): Promise<Means> =>
    (means ??= (async () => ({
      hold: o.hold === undefined ? await findHold() : { kind: o.hold },
      prlimit: process.platform === "linux" ? await findProgram("prlimit") : undefined,
    }))());

  return {
    name: "process",
    canFork: false,
    canRest: false,
    canMountWhileRunning: false,
    picksHostUser: false,
    probe: async () => ({ ok: true, guarantees: describe(await findMeans()) }),
    prepare: async (spec) => {
      await checkSpec(spec);
      return start(spec, await findMeans());
    },
    prepareTemplate: () => Promise.resolve(undefined),
  };
}

async function start(spec: SandboxSpec, { hold, prlimit }: Means): Promise<Sandbox> {
  const workspace = join(spec.slotDir, "workspace");
  const state = join(spec.slotDir, "state");
  const tmp = join(spec.slotDir, "tmp");
  await mkdir(tmp, { recursive: true });
  const mark = randomUUID();
  const processes = countsOwnProcesses(hold) ? spec.limits.processes : undefined;
  const [command, ...args] = [
    ...(hold.kind === "namespace" ? hold.enter : []),
    ...(prlimit === undefined ? [] : prlimitArguments(prlimit, spec.limits, { processes })),
    ...spec.argv,
  ];
  const env = programEnvironment(spec, { home: state, tmp });
  if (hold.kind === "tracked") env[markName] = mark;

  const launched = await launch({ command: command!, args, env, cwd: workspace });
  const exited = hold.kind === "namespace" ? launched.exited.then(decodeLauncherExit) : launched.exited;
  const tree = holdTree(launched, hold, mark);
  const folders = openWorkingFolders(spec.slotDir);
  let killed: Promise<void> | undefined;
  return {
    channel: launched.channel,
    stdout: launched.stdout,
    stderr: launched.stderr,
    paths: { workspace, state, image: spec.imageDir },
    pid: launched.pid,
    exited,
    claim: () => folders.create(),
    kill: () => (killed ??= tree.kill().then(() => folders.removeUnused())),
    collect: () => Promise.resolve({}),
  };
}

function holdTree(launched: LaunchedProcess, hold: Hold, mark: string): ProcessTree {
  const { pid, exited } = launched;
  switch (hold.kind) {
    case "namespace":
      return createNamespaceTree({
        launcherPid: pid,
        launcherExited: exited,
        init: onlyChild(pid, exited),
        gently: true,
      });
    case "tracked":
      return createMarkedTree({ pid, exited, mark: `${markName}=${mark}` });
    case "group":
      return createGroupTree({ pid, exited });
  }
}

/** Returns the launcher's only child. The launcher waits for it: when the launcher has ended, the namespace has too. */
async function onlyChild(pid: number, exited: Promise<unknown>): Promise<ProcessIdentity | undefined> {
  let over = false;
  void exited.then(() => (over = true));
  while (!over) {
    const child = childrenOf(pid)[0];
    const row = child === undefined ? undefined : readProcess(child);
    if (row !== undefined) return row;
    await delay(1);
  }
  return undefined;
}

async function findHold(): Promise<Hold> {
  if (process.platform !== "linux") return { kind: "group" };
  const [unshare, timeout, nothing] = await Promise.all(["unshare", "timeout", "true"].map(findProgram));
  const readsChildren = await access(`/proc/self/task/${process.pid}/children`).then(
    () => true,
    () => false,
  );
  if (!unshare || !timeout || !nothing || !readsChildren) return { kind: "tracked" };
  // A program that is itself pid 1 cannot be killed by its own signals: abort() would do nothing. `timeout` without a
  // duration is an init that waits for one child and exits in the same way.
  const init = ["--pid", "--fork", "--kill-child", "--mount-proc", "--", timeout, "--foreground", "0"];
  const candidates = isHostRoot()
    ? [[]]
    : [
        ["--user", "--map-current-user"],
        ["--user", "--map-root-user"],
      ];
  for (const userNamespace of candidates) {
    const enter = [unshare, ...userNamespace, ...init];
    if (await exitsSuccessfully([...enter, nothing])) {
      return { kind: "namespace", enter, ownUserNamespace: userNamespace.length > 0 };
    }
  }
  return { kind: "tracked" };
}

/** Returns whether RLIMIT_NPROC counts only this sandbox's processes, as it does in a user namespace. */
function countsOwnProcesses(hold: Hold): boolean {
  return hold.kind === "namespace" && hold.ownUserNamespace && !isHostRoot();
}

const treeNotes = {
  namespace: "each agent's processes are in a pid namespace and end with it",
  tracked: "no pid namespace: processes are found by a mark in their environment, which a program can remove",
  group: "no pid namespace: a process that leaves its process group is not killed",
};

function describe({ hold, prlimit }: Means): Guarantees {
  const perProcess = prlimit === undefined ? "none" : "per_process";
  return {
    isolated: false,
    filesystem: "host",
    users: "shared",
    processes: hold.kind,
    network: "not_enforced",
    limits: {
      memory: perProcess,
      processes: prlimit !== undefined && countsOwnProcesses(hold) ? "per_sandbox" : "none",
      cpu: "none",
      openFiles: perProcess,
      fileSize: perProcess,
      tmpSize: "none",
      disk: "none",
    },
    notes: [
      "NOT ISOLATED: agents run as this user and can read and change everything this user can; for development only",
      treeNotes[hold.kind],
      ...(prlimit === undefined ? ["no resource limits: the program prlimit was not found; install util-linux"] : []),
      "no read-only image, no /input and /output, no private /tmp, no rules for the network: use another driver",
    ],
  };
}
