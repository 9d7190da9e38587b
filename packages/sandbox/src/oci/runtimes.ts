// The programs that can start an OCI container: how they differ, which ones this machine has, and the cleanup after a
// container.

import { existsSync } from "node:fs";
import { lstat, mkdir, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, isAbsolute, join } from "node:path";
import { isOrphanName } from "../processes/read-proc.ts";
import { findProgram, exitsSuccessfully } from "../launch/find-programs.ts";

export interface Runtime {
  /** The absolute path of the program. */
  readonly program: string;
  readonly kind: RuntimeKind;
  /** The directory of this user and runtime, with one directory per container and the runtime's own state. */
  readonly dir: string;
}

export interface RuntimeKind {
  readonly globalOptions: readonly string[];
  /**
   * Whether containers are processes of this kernel. A separate kernel hands over no sockets of its network, and this
   * kernel does not count its processes.
   */
  readonly sharesKernel: boolean;
}

const usual: RuntimeKind = { globalOptions: [], sharesKernel: true };

/** The kinds by program name. An unknown program is used like runc. */
const kinds: Readonly<Record<string, RuntimeKind>> = {
  runc: usual,
  // Our own groups contain the container, so the runtime creates none.
  crun: { ...usual, globalOptions: ["--cgroup-manager=disabled"] },
  runsc: {
    // The only UNIX sockets of the host in mounted directories lead to the proxy.
    globalOptions: ["--ignore-cgroups", "--network=none", "--overlay2=none", "--host-uds=open"],
    sharesKernel: false,
  },
};

/** The runtimes to try if the operator names none: the ones that our tests run, the faster one first. */
const tried = ["crun", "runc"];

/**
 * Returns the named runtime (a name or an absolute path), otherwise those found, in the order to try them.
 * @throws if the user's directory cannot be created
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

export const rootOption = (runtime: Runtime): string[] => ["--root", join(runtime.dir, "state")];

/** Kills and removes a container with the runtime's control groups. Never rejects. */
export async function deleteContainer(runtime: Runtime, id: string): Promise<void> {
  const { program, kind, dir } = runtime;
  await exitsSuccessfully(
    [program, ...kind.globalOptions, ...rootOption(runtime), "delete", "--force", id],
    runtimeEnvironment,
  );
  // gVisor leaves a state file that it has not written completely.
  const incomplete = ["state", "lock"].map((ending) => join("state", `${id}_sandbox:${id}.${ending}`));
  for (const path of [...incomplete, id]) await rm(join(dir, path), { recursive: true, force: true }).catch(() => {});
}

/** The environment of the runtime, which finds the programs that it starts in this PATH. */
export const runtimeEnvironment = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };

/** Removes containers of dead workers. Their first processes have ended, but other processes may still run. */
export async function sweepContainers(runtime: Runtime): Promise<void> {
  const dirs = [runtime.dir, join(runtime.dir, "state")];
  const names = await Promise.all(dirs.map((dir) => readdir(dir).catch(() => [])));
  // The names of gVisor's files end with their purpose, so cut that off.
  for (const id of new Set(names.flat().map((name) => name.replace(/_sandbox:.*$/, "")))) {
    if (isOrphanName(id)) await deleteContainer(runtime, id);
  }
}

async function privateDirectory(name: string): Promise<string> {
  const uid = process.getuid!();
  const dir = join(tmpdir(), `sandbox-oci-${uid}-${name}`);
  await mkdir(dir, { mode: 0o700 }).catch(() => {});
  const found = await lstat(dir);
  if (found.isDirectory() && found.uid === uid && (found.mode & 0o077) === 0) return dir;
  throw new Error(`${dir} belongs to another user or has other permissions; remove it`);
}
