// A template: a sandbox that is forked. template.c of @dari/native controls its program and makes each child a sandbox.

import { createInterface } from "node:readline";
import { type Egress, listensOn, openEgress } from "@dari/gateway";
import { nativeFile } from "@dari/native";
import type { Background } from "../launch/background.ts";
import { protectedProcPaths, type ProtectedPaths } from "../namespaces/paths-inside.ts";
import { canBoundTree, planControlGroup, type ControlGroupDirs } from "../limits/control-groups.ts";
import { createNamespacedSandbox } from "../namespaces/namespaced-sandbox.ts";
import type { LaunchedProcess, Starter } from "../launch/launch-process.ts";
import { childrenOf, readProcess, type ProcessIdentity } from "../processes/read-proc.ts";
import { countProcessesOfUser } from "../limits/rlimits.ts";
import {
  deliverServer,
  createStarterConnection,
  requestStart,
  type StarterConnection,
} from "../launch/start-requests.ts";
import { LateForkError, SandboxStartError, type Sandbox, type SandboxSpec, type SandboxTemplate } from "../types.ts";
import { withTimeout } from "../launch/with-timeout.ts";
import { encodeChildInput } from "./child-input.ts";

/** Number of descriptors of each child. */
const streams = 3;
/** The number of a child and a port are sent as one 32-bit number. */
const portBits = 65_536;
export const forksMax = 32_000;
const defaultForkWithinMs = 10_000;
/** Time limit for taking control of the program, in milliseconds. */
const holdWithinMs = 5_000;
/** Number of the template's mounts at `workspace` and `state`, which are below the mounts of each child. */
const mountsBelow = 2;

export interface TemplateOptions {
  /** The template's own sandbox. */
  readonly base: Sandbox;
  readonly init: Promise<ProcessIdentity | undefined>;
  readonly spec: SandboxSpec;
  /** The host user of the template and its children (default: this process's). */
  readonly hostUser: number | undefined;
  /** Makes the user the owner of a child's slot. */
  giveSlot(slotDir: string): Promise<void>;
  readonly starter: Starter;
  readonly groups: ControlGroupDirs | undefined;
  readonly egress: Egress | undefined;
  /** Whether its sandboxes can connect without the proxy. */
  readonly isTransparent: boolean;
  readonly background: Background;
  /**
   * A fork fails if the template has answered no request for this long while the fork waited, in milliseconds (default:
   * 10 s).
   */
  readonly forkWithinMs?: number | undefined;
  /** Called once the program is under control. */
  onHeld(): void;
}

export function createTemplateSandbox(o: TemplateOptions): SandboxTemplate {
  const { base } = o;
  let receiver: StarterConnection | undefined;
  const guarded = protectedProcPaths();
  return {
    channel: base.channel,
    stdout: base.stdout,
    stderr: base.stderr,
    paths: base.paths,
    exited: base.exited,
    async hold(tell, threads = 0) {
      const held = await holdProgram(o, tell, threads);
      if (typeof held === "string") return held;
      receiver = held;
      // The program is stopped, and all processes below it belong to its children.
      o.onHeld();
      return undefined;
    },
    async fork(child) {
      if (receiver === undefined) throw new TypeError("a template can only be forked after `hold`");
      if (receiver.count >= forksMax)
        throw new SandboxStartError(
          `limit reached: the template has been forked ${forksMax} times; a new template is needed`,
        );
      return await forkOnce({ ...o, guarded }, receiver, child);
    },
    async kill() {
      // The kernel cannot end the template's namespace while a tracer that is stuck does not let its processes go.
      receiver?.kill();
      await base.kill();
    },
  };
}

/** Takes control of the template's program. Resolves with the reason as text if that is not possible. */
async function holdProgram(o: TemplateOptions, tell: () => void, threads: number): Promise<StarterConnection | string> {
  const init = await o.init;
  const program = init === undefined ? undefined : readProcess(childrenOf(init.pid)[0] ?? 0);
  if (program?.parentPid !== init?.pid || program === undefined) return "the program has ended";
  let receiver: StarterConnection | undefined;
  const holder = await o.starter.launch({
    command: nativeFile,
    keepsCapabilities: true,
    args: ["template", String(program.pid), program.startTime, String(process.pid), String(threads)],
    cwd: "/",
    onServer(both, server) {
      if (receiver === undefined) server.close();
      else deliverServer(receiver, Math.floor(both / portBits), both % portBits, server);
    },
  });
  for (const unused of [holder.stderr, holder.channel, ...holder.launcherPipes]) unused.resume();
  const ending = killerOf(holder);
  const late = setTimeout(ending.kill, holdWithinMs);
  try {
    for await (const line of createInterface({ input: holder.stdout })) {
      if (line.startsWith("not ")) return line.slice(4);
      if (line === "held") tell();
      else receiver = createStarterConnection({ name: line, pipes: streams, kill: ending.kill });
      if (receiver !== undefined) break;
    }
  } finally {
    clearTimeout(late);
  }
  if (receiver === undefined)
    return ending.isKilled() ? `the program did not fork within ${holdWithinMs} ms` : "the program has ended";
  const known = receiver;
  void holder.exited.then(() => (known.isFit = false));
  return receiver;
}

/** Returns a function that kills the process unless it has ended: then its pid may belong to another process. */
function killerOf({ pid, exited }: LaunchedProcess): { kill: () => void; isKilled: () => boolean } {
  let [isGone, isKilled] = [false, false];
  void exited.then(() => (isGone = true));
  const kill = (): void => {
    if (isGone) return;
    isKilled = true;
    process.kill(pid, "SIGKILL");
  };
  return { kill, isKilled: () => isKilled };
}

type ForkOptions = Parameters<SandboxTemplate["fork"]>[0];
type ForkParts = TemplateOptions & { readonly guarded: ProtectedPaths };

async function forkOnce(o: ForkParts, receiver: StarterConnection, fork: ForkOptions): Promise<Sandbox> {
  const child = startChild(o, receiver, fork);
  const { forkWithinMs = defaultForkWithinMs } = o;
  const started = await untilSilent(receiver, child, forkWithinMs);
  if (started !== undefined) return started;
  const settled = child.then(
    (late) => late.kill(),
    () => undefined,
  );
  o.background.add(settled.catch(() => undefined));
  throw new LateForkError(`the template has answered nothing for ${forkWithinMs} ms`, settled);
}

/** Returns the result, or undefined once the receiver has answered no request for this many milliseconds. */
async function untilSilent<T>(receiver: StarterConnection, started: Promise<T>, ms: number): Promise<T | undefined> {
  for (;;) {
    const { answers } = receiver;
    // An answer that came while this process itself was late is read before the second time limit ends.
    const result = (await withTimeout(ms, started)) ?? (await withTimeout(1, started));
    if (result !== undefined || receiver.answers === answers) return result;
  }
}

async function startChild(
  o: ForkParts,
  receiver: StarterConnection,
  { slotDir, mounts, ...reports }: ForkOptions,
): Promise<Sandbox> {
  const { network, limits } = o.spec;
  const policy = typeof network === "object" ? { ...network, ...reports } : network;
  const spec: SandboxSpec = { ...o.spec, network: policy, slotDir, ...(mounts && { mounts }) };
  const group = o.groups === undefined ? undefined : planControlGroup(o.groups, limits);
  await o.giveSlot(slotDir);
  const egress = typeof policy === "object" ? openEgress(policy, slotDir, o.egress) : undefined;
  try {
    const launched = await requestStart(receiver, {
      words: encodeChildInput(spec, {
        slotDir,
        ports: egress === undefined ? [] : listensOn(egress, o.isTransparent),
        group,
        processes: countProcessesOfUser(limits, { hostUser: o.hostUser, isBounded: canBoundTree(o.groups) }),
        guarded: o.guarded,
      }),
      name: "a child of the template",
      onServer: (port, server) => egress?.serve(port, server),
    });
    if (launched === undefined) throw new SandboxStartError("the template has ended");
    return createNamespacedSandbox(spec, {
      program: { launched, group, init: Promise.resolve(readProcess(launched.pid)), programRan: Promise.resolve(true) },
      egress,
      hostUser: o.hostUser,
      background: o.background,
      isBounded: canBoundTree(o.groups),
      mountsBelow,
      name: "the template",
      onEnd: launched.endReports,
    });
  } catch (error) {
    egress?.close();
    o.background.add(group?.remove());
    throw error;
  }
}
