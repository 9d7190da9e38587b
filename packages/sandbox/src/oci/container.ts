// One container that was started: our own program on both sides of its wall, in control groups of ours.

import type { Duplex } from "node:stream";
import { join } from "node:path";
import type { Launcher } from "../bwrap-launcher.ts";
import { planGroup, type ControlGroup, type GroupPlaces } from "../control-groups.ts";
import { launch, type Launched, type OnServer } from "../launch.ts";
import { ownName, readProcess, type ProcessIdentity } from "../proc.ts";
import type { SandboxLimits, SandboxSpec } from "../types.ts";
import { writeBundle, type Tools } from "./bundle.ts";
import { deleteContainer, rootOf, runtimeEnvironment, type Runtime } from "./runtimes.ts";

export interface Container extends Omit<Launcher, "isGone" | "run" | "discard"> {
  /** What its first process is told before it becomes the program's parent, and what `enter` is told. */
  run(env: Readonly<Record<string, string>>, words: string): void;
  /** Its first process ends, also one that is only just being started. */
  hangUp(): void;
  /** What the runtime still has of it. Never rejects. */
  remove(): Promise<void>;
}

export interface ContainerMeans {
  readonly runtime: Runtime;
  readonly tools: Tools;
  readonly etcDir: string;
  /** Of its egress. */
  readonly trustDir: string | undefined;
  readonly hasUserNamespace: boolean;
  readonly groups: GroupPlaces | undefined;
}

/** After stdout, stderr and the channel: control, words, and the channel that hands over sockets. */
const pipes = 2;
const handOverFd = 4 + pipes;
const firstGroupFd = handOverFd + 1;

/** @throws SandboxStartError, or the system's error where bundle or group cannot be made; nothing is left then */
export async function startContainer(spec: SandboxSpec, means: ContainerMeans, onServer: OnServer): Promise<Container> {
  const { runtime, tools } = means;
  const id = ownName();
  const bundle = join(runtime.dir, id);
  const group = groupOf(means, spec.limits);
  try {
    const groups = { first: firstGroupFd, count: group?.inside.length ?? 0 };
    await writeBundle(bundle, { spec, ...means, groups });
    const pidFile = join(bundle, "pid");
    const command = [
      ...(group === undefined ? [] : [group.program, "2", ...group.outside, "--"]),
      ...[tools.container, "outside", pidFile, String(firstGroupFd), ...(group?.inside ?? []), "--"],
      ...[runtime.program, ...runtime.kind.globalOptions, ...rootOf(runtime), "run", "--detach"],
      ...["--bundle", bundle, "--pid-file", pidFile, ...runtime.kind.passing(firstGroupFd + groups.count), id],
    ];
    const launched = await launch({
      command: command[0]!,
      args: command.slice(1),
      env: runtimeEnvironment,
      cwd: "/",
      launcherPipes: pipes,
      onServer,
    });
    return containerOf(launched, group?.group, () => deleteContainer(runtime, id));
  } catch (error) {
    await group?.group.remove();
    await deleteContainer(runtime, id);
    throw error;
  }
}

function containerOf(launched: Launched, group: ControlGroup | undefined, remove: () => Promise<void>): Container {
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
  readonly program: string;
  /** For native/group.c. */
  readonly outside: readonly string[];
  /** Files that the container's first process writes to. */
  readonly inside: readonly string[];
}

/** The runtime is not in it, nor are its many threads; with a kernel of its own it is what is to be bounded. */
function groupOf({ groups, runtime }: ContainerMeans, limits: SandboxLimits): GroupWords | undefined {
  if (groups?.program === undefined) return undefined;
  const { processes: _threadsOfItsKernel, ...others } = limits;
  const group = planGroup(groups, runtime.kind.sharesKernel ? limits : others);
  const isInside = (step: string): boolean => step === "enter" && runtime.kind.sharesKernel;
  return {
    group,
    program: groups.program,
    outside: group.steps.filter(([step]) => !isInside(step)).flat(),
    inside: group.steps.filter(([step]) => isInside(step)).map(([, file]) => file),
  };
}

/** Nothing is said of a container that did not come up. */
function readStatus(control: Duplex): Pick<Launcher, "init" | "programRan"> {
  const init = Promise.withResolvers<ProcessIdentity | undefined>();
  const programRan = Promise.withResolvers<boolean>();
  let seen = "";
  control.setEncoding("latin1");
  control.on("data", (chunk: string) => {
    seen += chunk;
    const pid = /^init (\d+)\n/.exec(seen)?.[1];
    if (pid !== undefined) readProcess(Number(pid)).then(init.resolve, init.reject);
  });
  control.once("close", () => {
    if (!seen.startsWith("init ")) init.resolve(undefined);
    programRan.resolve(seen.startsWith("init "));
  });
  return { init: init.promise, programRan: programRan.promise };
}
