// Lists capabilities that this machine does not give to sandboxes, with the effect of each and a remedy. The worker
// shows the list when it starts and in its log, and `dari doctor` shows it too.

import type { NamespaceState } from "@dari/native";
import { adviseOnGroups, adviseOnNamespaces, type ChosenDriver, type Guarantees, type Machine } from "@dari/sandbox";
import type { Disks } from "@dari/workspace";

export interface MissingCapability {
  /** The missing capability, and the effect on agents. */
  readonly what: string;
  /** What an operator can do. */
  readonly fix: string;
}

export interface MachineState {
  readonly chosen: Pick<ChosenDriver, "guarantees"> & Partial<Pick<ChosenDriver, "rejected">>;
  readonly disks: Pick<Disks, "kind">;
  /** Whether sandboxes should be preloaded, but cannot be. */
  readonly lacksWarm: boolean;
  readonly own: NamespaceState;
  /** The command line that starts the worker. */
  readonly program: string;
}

const notPreloaded =
  "preloaded sandboxes: each turn first loads its agent, which takes 60 ms for JavaScript and 2 s for a Python SDK";

export function findMissingCapabilities(
  { chosen, disks, lacksWarm, own, program }: MachineState,
  machine: Machine,
): MissingCapability[] {
  const { guarantees, rejected = [] } = chosen;
  // A worker that is not root mounts in its own namespace, if the machine allows one.
  const refused = own.state === "refused" ? own : { reason: "", advice: "" };
  const cause = refused.reason === "" ? "" : ` (no separate namespace: ${refused.reason})`;
  const withRoot = machine.isRoot ? "check the log" : `run \`${program}\` as root`;
  // If the native programs cannot run, the reason ends with the remedy.
  const byHand = /dari-native|native programs/.test(refused.reason) ? refused.reason.split("; ").at(-1)! : withRoot;
  const mounts = refused.advice === "" ? byHand : `run \`${refused.advice}\``;
  // Drivers are tried strongest first, so the first refusal says why the strongest driver does not work.
  const refusal = rejected[0]?.reason;
  const why = refusal === undefined ? "" : ` (${refusal})`;
  return [
    ...(guarantees.isolated
      ? []
      : [
          {
            what: `isolation: agents can read and change everything that this user can read and change${why}`,
            fix: refusal === undefined ? "set DARI_SANDBOX=auto" : adviseOnNamespaces(refusal, machine),
          },
        ]),
    ...(!guarantees.isolated || canBoundSandboxes(guarantees)
      ? []
      : [
          {
            what: "control groups: memory and processes of a turn are only checked five times a second",
            fix: adviseOnGroups(program, machine),
          },
        ]),
    ...(disks.kind === "overlay"
      ? []
      : [{ what: `overlay mounts: each turn copies its workspace${cause}`, fix: mounts }]),
    ...(!lacksWarm
      ? []
      : [
          {
            what: `${notPreloaded}${cause}`,
            fix: mounts,
          },
        ]),
    ...(own.state !== "entered" || own.advice === ""
      ? []
      : [{ what: `separate host users for sandboxes (${own.reason})`, fix: `run \`${own.advice}\`` }]),
  ];
}

/** Returns whether the kernel limits memory and processes of a whole sandbox. */
export function canBoundSandboxes({ limits }: Guarantees): boolean {
  return limits.memory === "per_sandbox" && limits.processes === "per_sandbox";
}
