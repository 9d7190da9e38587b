// Advises operators how to get stronger sandboxes on this machine, with commands.

import { existsSync, readFileSync } from "node:fs";
import { isHostRoot } from "../limits/rlimits.ts";

export interface Machine {
  readonly isRoot: boolean;
  readonly isContainer: boolean;
  readonly hasSystemd: boolean;
  readonly hasGroupsOfVersion2: boolean;
  /** Kernel settings by name; absent if this kernel does not have the setting. */
  readonly settings: Readonly<Record<string, string>>;
}

const namespaceSettings = [
  "user.max_user_namespaces",
  "kernel.unprivileged_userns_clone",
  "kernel.apparmor_restrict_unprivileged_userns",
];

export function readMachine(): Machine {
  const settings = namespaceSettings.flatMap((name) => {
    const value = readSetting(name);
    return value === undefined ? [] : [[name, value]];
  });
  return {
    isRoot: isHostRoot(),
    isContainer: ["/.dockerenv", "/run/.containerenv", "/run/secrets/kubernetes.io"].some((path) => existsSync(path)),
    hasSystemd: existsSync("/run/systemd/system"),
    hasGroupsOfVersion2: existsSync("/sys/fs/cgroup/cgroup.controllers"),
    settings: Object.fromEntries(settings) as Record<string, string>,
  };
}

/** Returns what to do if bubblewrap cannot be used. `reason`: the error of the bubblewrap driver. */
export function adviseOnNamespaces(reason: string, machine: Machine): string {
  const { settings } = machine;
  // These reasons end with their remedy.
  if (/native programs|dari-native/.test(reason)) return reason.split("; ").at(-1)!;
  if (reason.includes("bwrap was not found")) return "install the package bubblewrap";
  if (settings["user.max_user_namespaces"] === "0") return "run `sudo sysctl -w user.max_user_namespaces=15000`";
  if (settings["kernel.unprivileged_userns_clone"] === "0") {
    return "run `sudo sysctl -w kernel.unprivileged_userns_clone=1`";
  }
  if (machine.isContainer) {
    const options = ["seccomp", "apparmor", "systempaths"].map((name) => `--security-opt ${name}=unconfined`);
    return `start the container with ${options.join(" ")}`;
  }
  if (settings["kernel.apparmor_restrict_unprivileged_userns"] === "1") {
    const profile = "or load an AppArmor profile for bwrap that has the rule `userns,`";
    return `run \`sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0\`, ${profile}`;
  }
  return "allow unprivileged user namespaces and mounts of /proc on this machine";
}

/** Returns what to do if no control groups can be created. `program`: the command line that starts the worker. */
export function adviseOnGroups(program: string, machine: Machine): string {
  if (machine.isContainer && machine.hasGroupsOfVersion2) {
    const docker = "with Docker 28 or newer `--security-opt writable-cgroups=true`";
    const podman = "with Podman `--security-opt unmask=/sys/fs/cgroup`";
    return `give the container a writable control group: ${docker}, ${podman}`;
  }
  if (machine.isContainer) return "run the container on a machine with control groups of version 2";
  if (machine.hasSystemd && machine.hasGroupsOfVersion2) {
    const command = machine.isRoot ? "systemd-run --scope" : "systemd-run --user --scope";
    return `run \`${command} -p Delegate=yes ${program}\``;
  }
  return machine.isRoot ? "mount control groups where the worker can write them" : `run \`${program}\` as root`;
}

function readSetting(name: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${name.replaceAll(".", "/")}`, "utf8").trim();
  } catch {
    return undefined;
  }
}
