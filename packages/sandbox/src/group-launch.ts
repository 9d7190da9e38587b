// Starts a program in a control group that is made for it.

import { mkdir, writeFile } from "node:fs/promises";
import { planGroup, type ControlGroup, type GroupPlaces, type GroupStep } from "./control-groups.ts";
import { launch, type Launched, type LaunchOptions } from "./launch.ts";
import { SandboxStartError, type SandboxLimits } from "./types.ts";

export interface GroupLaunchOptions extends LaunchOptions {
  /** Descriptor of the program on which it is said why it was not started. */
  readonly complaintsTo: number;
}

export interface LaunchedInGroup {
  readonly launched: Launched;
  /** Removed by the caller, once the program has ended. */
  readonly group: ControlGroup | undefined;
  /** Until then the program may be outside. Rejects with SandboxStartError, when program and group are gone. */
  readonly entered: Promise<void>;
}

/**
 * Without `places` there is no group. Where the program makes its group by itself and cannot, it complains and ends
 * with 125.
 * @throws SandboxStartError, or the system's error where a group cannot be made; nothing is left then
 */
export async function launchInGroup(
  places: GroupPlaces | undefined,
  limits: SandboxLimits,
  o: GroupLaunchOptions,
): Promise<LaunchedInGroup> {
  if (places === undefined) return { launched: await launch(o), group: undefined, entered: Promise.resolve() };
  const group = planGroup(places, limits);
  try {
    if (places.program !== undefined) {
      const args = [String(o.complaintsTo), ...group.steps.flat(), "--", o.command, ...o.args];
      const launched = await launch({ ...o, command: places.program, args });
      return { launched, group, entered: Promise.resolve() };
    }
    await makeGroup(group.steps);
    const launched = await launch(o);
    return { launched, group, entered: move(launched, group) };
  } catch (error) {
    await group.remove();
    throw error;
  }
}

async function makeGroup(steps: readonly GroupStep[]): Promise<void> {
  for (const [step, path, text = ""] of steps) {
    if (step === "make") await mkdir(path);
    if (step === "set") await writeTo(path, text);
    if (step === "try") await writeTo(path, text).catch(() => {});
  }
}

/** The kernel takes its time for that, in a thread that other work of this process waits for. */
async function move(launched: Launched, group: ControlGroup): Promise<void> {
  let isGone = false;
  void launched.exited.then(() => (isGone = true));
  try {
    // One after the other: those behind the first do not wait again.
    for (const [step, path] of group.steps) if (step === "enter") await writeTo(path, String(launched.pid));
  } catch (cause) {
    if (!isGone) process.kill(launched.pid, "SIGKILL");
    await launched.exited;
    await group.remove();
    throw new SandboxStartError("the sandbox's control group cannot be entered", { cause });
  }
}

/** A file that is not there is not made. */
async function writeTo(file: string, text: string): Promise<void> {
  await writeFile(file, text, { flag: "r+" });
}
