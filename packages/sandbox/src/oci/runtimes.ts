// The programs that can start an OCI container: how they differ, which of them this machine has, and what one is asked
// after a container's end.

import { existsSync } from "node:fs";
import { lstat, mkdir, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, isAbsolute, join } from "node:path";
import { isLeftBehind } from "../proc.ts";
import { findProgram, succeeds } from "../programs.ts";

export interface Runtime {
  /** Absolute. */
  readonly program: string;
  readonly kind: RuntimeKind;
  /** The directory of this user and runtime, with a directory for each container and the runtime's own records. */
  readonly dir: string;
}

export interface RuntimeKind {
  readonly globalOptions: readonly string[];
  /**
   * Its containers are processes of this kernel. One with a kernel of its own hands over no sockets of its network, and
   * its processes are not this kernel's to count.
   */
  readonly sharesKernel: boolean;
}

const usual: RuntimeKind = { globalOptions: [], sharesKernel: true };

/** By the program's name; one with another name takes what runc takes. */
const kinds: Readonly<Record<string, RuntimeKind>> = {
  runc: usual,
  // Our own groups hold the container, so none of its is made.
  crun: { ...usual, globalOptions: ["--cgroup-manager=disabled"] },
  runsc: {
    // The only UNIX sockets of the host in what is mounted are those that lead to the proxy.
    globalOptions: ["--ignore-cgroups", "--network=none", "--overlay2=none", "--host-uds=open"],
    sharesKernel: false,
  },
};

/** What is tried where the operator names none: those that our tests run, the one that starts faster first. */
const tried = ["crun", "runc"];

/**
 * The one that is named, by a name or an absolute path, else those that are found, in the order to try them in.
 * @throws where no directory of this user's can be made
 */
export async function findRuntimes(named: string | undefined): Promise<Runtime[]> {
  const found: Runtime[] = [];
  for (const name of named === undefined ? tried : [named]) {
    const program = isAbsolute(name) ? name : await findProgram(name);
    if (program === undefined || !existsSync(program)) continue;
    found.push({ program, kind: kinds[basename(program)] ?? usual, dir: await privateDirectory(basename(program)) });
  }
  return found;
}

export const rootOf = (runtime: Runtime): string[] => ["--root", join(runtime.dir, "state")];

/** Kills what of it is alive and removes what is left, control groups of the runtime's included. Never rejects. */
export async function deleteContainer(runtime: Runtime, id: string): Promise<void> {
  const { program, kind, dir } = runtime;
  await succeeds([program, ...kind.globalOptions, ...rootOf(runtime), "delete", "--force", id], runtimeEnvironment);
  // What gVisor had only begun to write down it cannot read, and leaves.
  const begun = ["state", "lock"].map((ending) => join("state", `${id}_sandbox:${id}.${ending}`));
  for (const path of [...begun, id]) await rm(join(dir, path), { recursive: true, force: true }).catch(() => {});
}

/** By which it finds the programs that it starts itself. */
export const runtimeEnvironment = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };

/** Containers of a process that is no more: their first processes ended with it, the rest did not. */
export async function sweepContainers(runtime: Runtime): Promise<void> {
  const dirs = [runtime.dir, join(runtime.dir, "state")];
  const names = await Promise.all(dirs.map((dir) => readdir(dir).catch(() => [])));
  // gVisor's end in what each is for.
  for (const id of new Set(names.flat().map((name) => name.replace(/_sandbox:.*$/, "")))) {
    if (await isLeftBehind(id)) await deleteContainer(runtime, id);
  }
}

async function privateDirectory(name: string): Promise<string> {
  const uid = process.getuid!();
  const dir = join(tmpdir(), `sandbox-oci-${uid}-${name}`);
  await mkdir(dir, { mode: 0o700 }).catch(() => {});
  const found = await lstat(dir);
  if (found.isDirectory() && found.uid === uid && (found.mode & 0o077) === 0) return dir;
  throw new Error(`somebody else has made ${dir}`);
}
