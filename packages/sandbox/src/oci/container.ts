// Starts a container in our own control groups, with our own programs inside and outside the container.

import type { Duplex } from "node:stream";
import { join } from "node:path";
import type { Egress } from "@dari/gateway";
import { nativeCommand } from "@dari/native";
import type { Launcher } from "../namespaces/launcher.ts";
import { planControlGroup, type ControlGroup, type ControlGroupDirs } from "../limits/control-groups.ts";
import { inGroupCommand } from "../limits/launch-in-group.ts";
import { launch, type LaunchedProcess } from "../launch/launch-process.ts";
import { createOwnedName, readProcess, type ProcessIdentity } from "../processes/read-proc.ts";
import type { SandboxLimits, SandboxSpec } from "../types.ts";
import { socketDirOf, writeBundle } from "./bundle.ts";
import { limitsForHost, listenForRelay } from "./guest-kernel.ts";
import { deleteContainer, rootOption, runtimeEnvironment, type Runtime } from "./runtimes.ts";

export interface Container extends Omit<Launcher, "isGone" | "run" | "discard"> {
  /** Starts the program: sends the environment to the container's first process, and `words` to `enter`. */
  run(env: Readonly<Record<string, string>>, words: string): void;
  /** Ends the container's first process, even if it is just starting. */
  hangUp(): void;
  /** Returns whether the container reached its limit of processes, as a separate kernel reports. */
  isFull(): boolean;
  /** Removes the runtime's state of the container. Never rejects. */
  remove(): Promise<void>;
}

export interface ContainerOptions {
  readonly runtime: Runtime;
  readonly toolsDir: string;
  readonly etcDir: string;
  readonly egress: Egress | undefined;
  readonly hasUserNamespace: boolean;
  readonly groups: ControlGroupDirs | undefined;
}

/** Pipes besides stdout, stderr and the channel: control, words, and the channel that hands over sockets. */
const pipes = 2;
const handOverFd = 4 + pipes;

/** @throws SandboxStartError, or the system's error if bundle or group cannot be created; nothing is left then */
export async function startContainer(spec: SandboxSpec, means: ContainerOptions): Promise<Container> {
  const { runtime, egress } = means;
  const id = createOwnedName();
  const bundle = join(runtime.dir, id);
  const group = groupOf(means, spec.limits);
  try {
    await writeBundle(bundle, { spec, ...means });
    if (egress !== undefined && !runtime.kind.sharesKernel) await listenForRelay(socketDirOf(bundle), egress);
    const pidFile = join(bundle, "pid");
    const program = [
      ...[...nativeCommand("container"), "outside", pidFile, ...(group?.inside ?? []), "--"],
      ...[runtime.program, ...runtime.kind.globalOptions, ...rootOption(runtime), "run", "--detach"],
      ...["--bundle", bundle, "--pid-file", pidFile, id],
    ];
    const command = group === undefined ? program : inGroupCommand(group.outside, 2, program);
    const launched = await launch({
      command: command[0]!,
      args: command.slice(1),
      env: runtimeEnvironment,
      cwd: "/",
      launcherPipes: pipes,
      onServer: (port, server) => egress?.serve(port, server),
    });
    return containerOf(launched, group?.group, () => deleteContainer(runtime, id));
  } catch (error) {
    await group?.group.remove();
    await deleteContainer(runtime, id);
    throw error;
  }
}

function containerOf(
  launched: LaunchedProcess,
  group: ControlGroup | undefined,
  remove: () => Promise<void>,
): Container {
  const [control, wordsPipe] = launched.launcherPipes as [Duplex, Duplex];
  return {
    launched,
    group,
    ...readStatus(control),
    run(env, words) {
      const variables = Object.entries({ ...env, NODE_CHANNEL_FD: String(handOverFd) });
      control.write(`${variables.map(([name, value]) => `${name}=${value}\0`).join("")}\0`);
      wordsPipe.end(words);
    },
    hangUp: () => void control.end(),
    remove,
  };
}

interface GroupWords {
  readonly group: ControlGroup;
  /** Steps that the process outside the container runs. */
  readonly outside: ControlGroup["steps"];
  /** Files to which the container's first process writes to enter the group. */
  readonly inside: readonly string[];
}

/**
 * Plans the control group. The runtime and its many threads are not in the group. If the runtime has its own kernel, it
 * is in the group, because then the runtime is what must be limited.
 */
function groupOf({ groups, runtime }: ContainerOptions, limits: SandboxLimits): GroupWords | undefined {
  if (groups === undefined) return undefined;
  const group = planControlGroup(groups, runtime.kind.sharesKernel ? limits : limitsForHost(limits));
  const isInside = (step: string): boolean => step === "enter" && runtime.kind.sharesKernel;
  return {
    group,
    outside: group.steps.filter(([step]) => !isInside(step)),
    inside: group.steps.filter(([step]) => isInside(step)).map(([, file]) => file),
  };
}

/** Reads the reports of the container's first process. A container that did not start reports nothing. */
function readStatus(control: Duplex): Pick<Container, "init" | "programRan" | "isFull"> {
  const init = Promise.withResolvers<ProcessIdentity | undefined>();
  const programRan = Promise.withResolvers<boolean>();
  let seen = "";
  control.setEncoding("latin1");
  control.on("data", (chunk: string) => {
    seen += chunk;
    const pid = /^init (\d+)\n/m.exec(seen)?.[1];
    if (pid !== undefined) init.resolve(readProcess(Number(pid)));
  });
  control.once("close", () => {
    const isThere = /^init /m.test(seen);
    if (!isThere) init.resolve(undefined);
    programRan.resolve(isThere);
  });
  return { init: init.promise, programRan: programRan.promise, isFull: () => /^full$/m.test(seen) };
}
