// What a machine lacks, and the command that gives it.

import { expect, test } from "@jest/globals";
import { adviseOnNamespaces, type Guarantees, type Machine } from "@dari/sandbox";
import { findMissingCapabilities, type MachineState } from "./find-missing-capabilities.ts";

const limits = { memory: "watched", processes: "watched" } as Guarantees["limits"];
const bounded = { memory: "per_sandbox", processes: "per_sandbox" } as Guarantees["limits"];
const machine: Machine = {
  isRoot: false,
  isContainer: false,
  hasSystemd: true,
  hasGroupsOfVersion2: true,
  settings: {},
};
const own = { state: "unneeded", reason: "", advice: "" } as const;
const overlay = { kind: "overlay" } as const;

interface Case extends Partial<MachineState> {
  readonly isolated: boolean;
  readonly limits?: Guarantees["limits"];
}

function missingOf(given: Case, found: Partial<Machine> = {}) {
  const guarantees = { isolated: given.isolated, limits: given.limits ?? bounded } as Guarantees;
  const chosen = { guarantees, rejected: [{ name: "bwrap", reason: "bwrap: No permissions to create a namespace" }] };
  const rest = { disks: overlay, lacksWarm: false, own, program: "npm start", ...given };
  return findMissingCapabilities({ ...rest, chosen }, { ...machine, ...found });
}

function fixes(...given: Parameters<typeof missingOf>): string[] {
  return missingOf(...given).map(({ fix }) => fix);
}

test("nothing is missing if the machine has everything", () => {
  expect(fixes({ isolated: true })).toEqual([]);
});

test.each([
  [{ "user.max_user_namespaces": "0" }, "sysctl -w user.max_user_namespaces=15000"],
  [{ "kernel.unprivileged_userns_clone": "0" }, "sysctl -w kernel.unprivileged_userns_clone=1"],
  [{ "kernel.apparmor_restrict_unprivileged_userns": "1" }, "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"],
])("agents that are not isolated: the setting of the kernel %j is named with its command", (settings, command) => {
  expect(fixes({ isolated: false }, { settings })).toEqual([expect.stringContaining(command)]);
});

test("agents that are not isolated in a container: the options of the container", () => {
  const [fix] = fixes({ isolated: false }, { isContainer: true });
  expect(fix).toContain("--security-opt seccomp=unconfined --security-opt apparmor=unconfined");
});

test("agents that are not isolated because the native programs cannot run: what their reason ends with", () => {
  const reason = "/dari/bin/linux-x64/dari-native cannot be executed (EACCES); set its mode to 755";
  expect(adviseOnNamespaces(reason, machine)).toBe("set its mode to 755");
});

test("no control groups: what delegates one, to a user, to root and to a container", () => {
  const watched = { isolated: true, limits };
  expect(fixes(watched)).toEqual(["run `systemd-run --user --scope -p Delegate=yes npm start`"]);
  expect(fixes(watched, { isRoot: true })).toEqual(["run `systemd-run --scope -p Delegate=yes npm start`"]);
  expect(fixes(watched, { isContainer: true })).toEqual([expect.stringContaining("writable-cgroups=true")]);
  expect(fixes(watched, { hasGroupsOfVersion2: false })).toEqual(["run `npm start` as root"]);
});

test("slow starts: workspaces that are copied, and agents that are not loaded ahead", () => {
  const disks = { kind: "copy" } as const;
  expect(fixes({ isolated: true, disks, lacksWarm: true })).toEqual(Array(2).fill("run `npm start` as root"));
});

test("native programs that cannot run: what their reason ends with", () => {
  const reason = "/dari/bin/linux-x64/dari-native cannot be executed (EACCES); set its mode to 755";
  const refused = { state: "refused", reason, advice: "" } as const;
  expect(fixes({ isolated: true, disks: { kind: "copy" }, own: refused })).toEqual(["set its mode to 755"]);
});

test("an ordinary user's namespace: what allows it, or gives it ids", () => {
  const disks = { kind: "copy" } as const;
  const refused = { state: "refused", reason: "unshare: Operation not permitted", advice: "sudo sysctl …" } as const;
  expect(fixes({ isolated: true, disks, own: refused })).toEqual(["run `sudo sysctl …`"]);
  const [missing] = missingOf({ isolated: true, disks, own: refused });
  expect(missing?.what).toContain("(no separate namespace: unshare: Operation not permitted)");
  const withoutIds = { state: "entered", reason: "no range", advice: "sudo usermod …" } as const;
  expect(fixes({ isolated: true, own: withoutIds })).toEqual(["run `sudo usermod …`"]);
  // Ids would not help there.
  const [overlays] = fixes({ isolated: true, disks, own: withoutIds });
  expect(overlays).toBe("run `npm start` as root");
});
