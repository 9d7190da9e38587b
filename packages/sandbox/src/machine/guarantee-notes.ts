// Notes for operators that several drivers give: what is missing on this machine, its effect, and what to do.

import { canBoundTree, type ControlGroupDirs } from "../limits/control-groups.ts";

export const sharedKernelNote = "the kernel is shared with the host; a system call filter limits what agents can call";

export const ownKernelNote = "agents use the runtime's kernel, not the host's";

export const sharedUserNote =
  "all sandboxes run as the worker's user: one agent can use up what the kernel counts per user, such as epoll " +
  "watches; `dari doctor` says how to give each organization a host user";

export const proxyOnlyNote = "programs that ignore the proxy variables have no network";

/** `reason`: what the first program of a sandbox has printed; empty if it is not known. */
export function noteProxyOnly(reason: string): string {
  const why = reason === "" ? "its sockets did not arrive in time" : reason;
  return `${proxyOnlyNote} (${why}); if the kernel lacks nf_tables with tproxy, load nf_tables and nft_tproxy`;
}

export const sharedDevicesNote =
  "no device nodes can be created: an agent can change the mode of the host's /dev/null and similar devices; run the " +
  "worker as a user other than root, or allow it to create device nodes in TMPDIR or /dev";

/** Returns what operators must know if control groups do not limit everything. */
export function noteMissingGroups(groups: ControlGroupDirs | undefined): string[] {
  const notes: string[] = [];
  if (!canBoundTree(groups)) {
    notes.push(
      "no control groups can be created: memory and processes are checked five times a second, so an agent can " +
        "exceed its limits for a moment; `dari doctor` says how to allow control groups",
    );
  }
  if (groups?.cpu === undefined) {
    notes.push(
      "no control group shares processor time: an agent with many processes gets more of it than others; give the " +
        "worker a control group with the controller cpu",
    );
  }
  return notes;
}
