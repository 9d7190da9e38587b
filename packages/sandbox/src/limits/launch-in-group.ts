// Starts a program in a new control group: group.c of @dari/native creates the group, enters it and becomes the
// program.

import { nativeCommand } from "@dari/native";
import { planControlGroup, type ControlGroup, type ControlGroupDirs } from "./control-groups.ts";
import { launch, type LaunchedProcess, type LaunchOptions } from "../launch/launch-process.ts";
import type { SandboxLimits } from "../types.ts";

export interface GroupLaunchOptions extends LaunchOptions {
  /** The descriptor to which the launcher writes the reason if the program was not started. */
  readonly complaintsTo: number;
}

export interface LaunchedInGroup {
  readonly launched: LaunchedProcess;
  /** The caller must remove the group once the program has ended. */
  readonly group: ControlGroup | undefined;
}

/**
 * Starts a program in a new group, or without a group if `places` is undefined. If the group cannot be created or
 * entered, the process writes the reason and exits with 125.
 * @throws SandboxStartError; nothing is left then
 */
export async function launchInGroup(
  places: ControlGroupDirs | undefined,
  limits: SandboxLimits,
  o: GroupLaunchOptions,
): Promise<LaunchedInGroup> {
  if (places === undefined) return { launched: await launch(o), group: undefined };
  const group = planControlGroup(places, limits);
  const [command, ...args] = inGroupCommand(group.steps, o.complaintsTo, [o.command, ...o.args]);
  try {
    return { launched: await launch({ ...o, command: command!, args }), group };
  } catch (error) {
    await group.remove();
    throw error;
  }
}

/** Returns the command line that runs `steps` and becomes `program`. */
export function inGroupCommand(
  steps: ControlGroup["steps"],
  complaintsTo: number,
  program: readonly string[],
): readonly string[] {
  return [...nativeCommand("group"), String(complaintsTo), ...steps.flat(), "--", ...program];
}
