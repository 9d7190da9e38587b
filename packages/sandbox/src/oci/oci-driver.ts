// The driver for machines with an OCI runtime (runc, crun, ...). The runtime creates the namespaces; a sandbox contains
// the same as with bubblewrap. The first probe tests what the runtime promises.

import { mkdir, mkdtemp, readlink, rm } from "node:fs/promises";
import { release, tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { egressEnvironment, openEgress } from "@dari/gateway";
import { nativeProblem } from "@dari/native";
import { createBackground, type Background } from "../launch/background.ts";
import { ownEtcFiles, etcPaths, toPathInside, insidePaths, trustPathInside } from "../namespaces/paths-inside.ts";
import { canBoundTree, findControlGroupDirs, groupCandidates } from "../limits/control-groups.ts";
import { encodeEnterInput } from "../namespaces/enter-input.ts";
import { createNamespacedSandbox } from "../namespaces/namespaced-sandbox.ts";
import { noteMissingGroups, ownKernelNote, sharedKernelNote } from "../machine/guarantee-notes.ts";
import { findProgram, tryTimeoutMs } from "../launch/find-programs.ts";
import { isHostRoot, countProcessesOfUser, processLimits } from "../limits/rlimits.ts";
import { checkSpec, programEnvironment } from "../slots/slot.ts";
import { openSystemFiles, type SystemFiles } from "../slots/copy-system-files.ts";
import {
  SandboxStartError,
  type Guarantees,
  type ProbeResult,
  type Sandbox,
  type SandboxDriver,
  type SandboxSpec,
} from "../types.ts";
import { withTimeout } from "../launch/with-timeout.ts";
import { openNamespaceShares, type NamespaceShares } from "../namespaces/namespace-shares.ts";
import { containerUser, installTools } from "./bundle.ts";
import { startContainer, type Container, type ContainerOptions } from "./container.ts";
import { limitsForGuestKernel, limitsForHost } from "./guest-kernel.ts";
import { findRuntimes, sweepContainers, type Runtime } from "./runtimes.ts";

interface Means extends Omit<ContainerOptions, "etcDir" | "egress"> {
  readonly systemFiles: SystemFiles;
  readonly shares: NamespaceShares | undefined;
}

type Found = { readonly means: Means; readonly guarantees: Guarantees } | { readonly reason: string };

export interface OciOptions {
  /** Name or absolute path (default: crun, otherwise runc). */
  readonly runtime?: string;
  /** Whether to use control groups if possible (default: true). */
  readonly controlGroups?: boolean;
  /** Whether to use a user namespace if possible (default: true). */
  readonly userNamespace?: boolean;
  /** Time limit of each test of the first probe, in milliseconds (default: 10 s). */
  readonly tryWithinMs?: number;
}

export function createOciDriver(o: OciOptions = {}): SandboxDriver {
  let found: Promise<Found> | undefined;
  const background = createBackground();
  const find = (): Promise<Found> => (found ??= findMeans(o));
  return {
    name: "oci",
    canFork: false,
    canRest: false,
    canMountWhileRunning: true,
    picksHostUser: false,
    async probe(): Promise<ProbeResult> {
      const result = await find();
      return "reason" in result ? { ok: false, reason: result.reason } : { ok: true, guarantees: result.guarantees };
    },
    async prepare(spec) {
      await checkSpec(spec);
      const result = await find();
      if ("reason" in result) throw new SandboxStartError(`no OCI runtime can be used: ${result.reason}`);
      if (spec.network === "open" && !result.means.runtime.kind.sharesKernel) {
        throw new SandboxStartError(
          "a container with its own kernel cannot use this machine's network; use an egress policy",
        );
      }
      return (await start(spec, result.means, background)).sandbox;
    },
    prepareTemplate: () => Promise.resolve(undefined),
    close: () => background.done(),
  };
}

async function start(
  spec: SandboxSpec,
  means: Means,
  background: Background,
): Promise<{ sandbox: Sandbox; container: Container }> {
  const { network, slotDir } = spec;
  const egress = typeof network === "object" ? openEgress(network, slotDir) : undefined;
  const trustDir = egress?.trustDir;
  const { sharesKernel } = means.runtime.kind;
  const limits = sharesKernel ? spec.limits : limitsForGuestKernel(spec.limits, egress);
  try {
    const container = await startContainer(spec, { ...means, etcDir: means.systemFiles.dir, egress });
    container.run(
      {
        ...programEnvironment(spec, { home: insidePaths.state, tmp: "/tmp" }),
        ...(egress === undefined ? {} : egressEnvironment(undefined, trustDir && trustPathInside)),
      },
      encodeEnterInput({
        ports: sharesKernel ? (egress?.ports ?? []) : [],
        limits: processLimits(limits, {
          processes: sharesKernel
            ? countProcessesOfUser(limits, { isBounded: canBoundTree(means.groups) })
            : limits.processes,
          hasOwnKernel: !sharesKernel,
        }),
        argv: spec.argv.map((word) => toPathInside(spec, word)),
      }),
    );
    void container.init.then((init) => init !== undefined && means.shares?.apply(init.pid));
    const sandbox = createNamespacedSandbox(spec, {
      program: container,
      egress,
      background,
      isBounded: canBoundTree(means.groups),
      ...(sharesKernel ? {} : { watched: { pid: container.launched.pid, limits: limitsForHost(spec.limits) } }),
      name: means.runtime.program,
      exceeded: () => (container.isFull() ? "processes" : undefined),
      onKill: () => container.hangUp(),
      onEnd: () => background.add(container.remove()),
    });
    return { sandbox, container };
  } catch (error) {
    egress?.close();
    throw error;
  }
}

async function findMeans(o: OciOptions): Promise<Found> {
  const problem = nativeProblem();
  if (problem !== undefined) return { reason: problem };
  try {
    const runtimes = await findRuntimes(o.runtime);
    if (runtimes.length === 0) return { reason: `the program ${o.runtime ?? "crun or runc"} was not found` };
    const systemFiles = await openSystemFiles(etcPaths, ownEtcFiles);
    const reasons: string[] = [];
    for (const runtime of runtimes) {
      const found = await findMeansOf(runtime, systemFiles, o);
      if (!("reason" in found)) return found;
      reasons.push(`${runtime.program}: ${found.reason}`);
    }
    return { reason: reasons.join("; ") };
  } catch (error) {
    return { reason: (error as Error).message };
  }
}

async function findMeansOf(runtime: Runtime, systemFiles: SystemFiles, o: OciOptions): Promise<Found> {
  const toolsDir = await installTools(runtime.dir);
  const groups = o.controlGroups === false ? undefined : await findControlGroupDirs();
  // A separate kernel has its own counts, so these limits need not be set.
  const shares = runtime.kind.sharesKernel ? openNamespaceShares() : undefined;
  let reason: string | undefined;
  for (const hasUserNamespace of waysOf(runtime, o)) {
    for (const candidate of groupCandidates(groups)) {
      const means = { runtime, toolsDir, systemFiles, groups: candidate, shares, hasUserNamespace };
      const failed = await tryOut(means, o.tryWithinMs ?? tryTimeoutMs);
      if (failed === undefined) {
        await sweepContainers(runtime);
        return { means, guarantees: describe(means) };
      }
      // Keep the reason of the best way.
      reason ??= failed.reason;
      // If a test hangs, give up: each further test would take as long, and the worker's start waits for them.
      if (failed.isLate) return { reason };
    }
  }
  return { reason: reason ?? "the runtime needs a user namespace on this machine" };
}

/** Returns the ways to try, best first: with or without a user namespace. A separate kernel needs one. */
function waysOf({ kind }: Runtime, o: OciOptions): boolean[] {
  return [...(o.userNamespace === false ? [] : [true]), ...(isHostRoot() && kind.sharesKernel ? [false] : [])];
}

/**
 * A shell script that checks a container from inside. Each line of its output is a fault. Its arguments are a directory
 * of the host, and for a separate kernel the host's kernel release, which must not be visible.
 */
const inspection = `
while read -r key value rest; do
  case "$key $value" in
    "CapPrm: 0000000000000000" | "CapEff: 0000000000000000" | "CapBnd: 0000000000000000") ;;
    Cap[PEB]*) echo "capabilities: $key $value" ;;
    "NoNewPrivs: 1" | "Seccomp: 2") ;;
    NoNewPrivs:* | Seccomp:*) echo "$key $value" ;;
  esac
done < /proc/self/status
for path in / /usr /etc /agent /dev /proc/sys; do
  ! (: > "$path/.dari-trial") 2> /dev/null || echo "$path can be written to"
done
! (: > /proc/sys/kernel/core_pattern) 2> /dev/null || echo "settings of the kernel can be written to"
if test -n "$2"; then
  read -r name version release rest < /proc/version
  test "$release" != "$2" || echo "the kernel is this machine's"
else
  ! test -e /sys || echo "/sys exists"
fi
for path in /root /home /var "$1"; do ! test -e "$path" || echo "$path exists"; done
set -- /proc/[0-9]*
test $# -le 5 || echo "processes of other users are visible"
for path in /workspace /state /tmp /dev/shm; do
  (: > "$path/.dari-trial") 2> /dev/null || echo "$path cannot be written to"
done
echo looked
read -r go <&3
`;

interface Failed {
  readonly reason: string;
  /** Whether the test exceeded its time limit. */
  readonly isLate: boolean;
}

/**
 * Starts a complete sandbox and checks it from both sides. Returns undefined if it is right, otherwise what is wrong.
 */
async function tryOut(means: Means, withinMs: number): Promise<Failed | undefined> {
  const slotDir = await mkdtemp(join(tmpdir(), "sandbox-probe-"));
  const background = createBackground();
  try {
    for (const name of ["workspace", "state", "image"]) await mkdir(join(slotDir, name));
    const shell = (await findProgram("sh")) ?? "/bin/sh";
    const hidden = means.runtime.kind.sharesKernel ? "" : release();
    const { sandbox, container } = await start(
      {
        argv: [shell, "-c", inspection, shell, slotDir, hidden],
        env: {},
        imageDir: join(slotDir, "image"),
        readOnlyPaths: [process.execPath],
        slotDir,
        network: { policy: { mode: "off", rules: [] } },
        limits: {},
      },
      means,
      background,
    );
    try {
      const reason = await withTimeout(withinMs, judge(sandbox, container, means));
      if (reason === undefined) return { reason: `it did not end within ${withinMs} ms`, isLate: true };
      return reason === "" ? undefined : { reason, isLate: false };
    } finally {
      await sandbox.kill();
    }
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error), isLate: false };
  } finally {
    await background.done();
    await rm(slotDir, { recursive: true, force: true });
  }
}

/** Returns an empty text if everything is right. */
async function judge(sandbox: Sandbox, container: Container, means: Means): Promise<string> {
  const complaints = text(sandbox.stderr);
  let printed = "";
  for await (const chunk of sandbox.stdout.setEncoding("utf8")) {
    printed += String(chunk);
    if (!printed.endsWith("looked\n")) continue;
    const shared = await sharedNamespaces((await container.init)?.pid, means);
    return [...printed.split("\n").slice(0, -2), ...shared].join(", ");
  }
  const exit = await sandbox.exited;
  return (await complaints).trim() || `it ended with ${exit.code ?? exit.signal}`;
}

/**
 * Returns the namespaces that a process shares with this one. A separate kernel may trace what runs on it in this
 * machine's pid namespace, which is not the one seen inside.
 */
async function sharedNamespaces(
  pid: number | undefined,
  { hasUserNamespace, runtime }: Pick<Means, "hasUserNamespace" | "runtime">,
): Promise<string[]> {
  const ofKind = runtime.kind.sharesKernel ? ["pid"] : [];
  const names = [...(hasUserNamespace ? ["user"] : []), ...ofKind, "mnt", "ipc", "uts", "net"];
  const nameOf = (of: string, name: string): Promise<string> => readlink(`/proc/${of}/ns/${name}`);
  const isShared = async (name: string): Promise<boolean> =>
    pid === undefined || (await nameOf("self", name)) === (await nameOf(String(pid), name));
  const shared = await Promise.all(names.map(isShared));
  return names.filter((_, index) => shared[index]).map((name) => `the ${name} namespace is this machine's`);
}

function describe(means: Means): Guarantees {
  const { groups, runtime } = means;
  const { sharesKernel } = runtime.kind;
  const counted = groups?.processes === undefined ? "watched" : "per_sandbox";
  const fromKernel = sharesKernel ? " its container" : " that kernel and the process that opens files for it";
  return {
    isolated: true,
    filesystem: "private",
    users: "shared",
    processes: "namespace",
    network: "enforced",
    limits: {
      memory: groups?.memory === undefined ? "watched" : "per_sandbox",
      processes: sharesKernel ? counted : "per_sandbox",
      cpu: groups?.cpu === undefined ? "none" : "per_sandbox",
      openFiles: "per_process",
      fileSize: "per_process",
      tmpSize: "per_sandbox",
      disk: "watched",
    },
    notes: [
      `containers are started by ${runtime.program}`,
      sharesKernel ? sharedKernelNote : ownKernelNote,
      ...noteMissingGroups(groups),
      ...(isHostRoot() ? [`the worker runs as root: a program that escapes${fromKernel} is root`] : []),
      ...(containerUser(means.hasUserNamespace) === 0
        ? ["agents run as root inside their containers, without any capability"]
        : []),
      ...(means.hasUserNamespace ? [] : ["containers have no user namespace: root in a container is root on the host"]),
    ],
  };
}
