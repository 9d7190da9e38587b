// What a container looks like from inside, as an OCI runtime's config.json and the directory beside it. The program's
// environment is not in it: runtimes keep copies.

import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { mkdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import {
  defaultTmpBytes,
  guardedPaths,
  innerId,
  insidePathOf,
  insidePaths,
  isSystemPath,
  scriptInside,
  systemDirectories,
  trustInside,
} from "../bwrap-arguments.ts";
import { compiledProgram } from "../compiled-program.ts";
import { devicePaths } from "../device-nodes.ts";
import { ownName } from "../proc.ts";
import { isHostRoot } from "../rlimits.ts";
import { systemCallFilter } from "../seccomp/filter.ts";
import type { SandboxSpec } from "../types.ts";

/** Our own programs as the container has them, and where they lie outside. */
export interface Tools {
  readonly dir: string;
  /** native/container.c, compiled. */
  readonly container: string;
}

const toolsInside = "/.sandbox";
const filterInside = `${toolsInside}/filter`;
export const enterInside = `${toolsInside}/enter`;

/**
 * The host's user that the container's root is: the runtime sets it up as that one, and no program runs as it. Nobody
 * has it, and no file is its own.
 */
const spareId = 4_294_967_293;

/** Made below `dir`, once for equal ones. Undefined where they were not shipped and there is no compiler. */
export async function openTools(dir: string): Promise<Tools | undefined> {
  const [container, enter] = await Promise.all([compiledProgram("container"), compiledProgram("enter")]);
  if (container === undefined || enter === undefined) return undefined;
  const files = {
    container: await readFile(container),
    enter: await readFile(enter),
    filter: systemCallFilter() ?? Buffer.of(),
    // Where a file of the spec's is mounted.
    [basename(scriptInside)]: Buffer.of(),
  };
  const digest = createHash("sha256");
  for (const [name, bytes] of Object.entries(files)) digest.update(name).update(bytes);
  const tools = join(dir, `tools-${digest.digest("hex").slice(0, 16)}`);
  if (existsSync(tools)) return { dir: tools, container };
  const fresh = join(dir, ownName());
  // Where what an egress is believed by is mounted.
  await mkdir(join(fresh, basename(trustInside)), { recursive: true });
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(fresh, name), bytes, { mode: 0o700 });
  // Where another process was faster its own stay.
  await rename(fresh, tools).catch(() => rm(fresh, { recursive: true }));
  return { dir: tools, container };
}

export interface BundleOptions {
  readonly spec: SandboxSpec;
  readonly tools: Tools;
  /** Takes the place of /etc. */
  readonly etcDir: string;
  /** Of its egress. */
  readonly trustDir: string | undefined;
  readonly hasUserNamespace: boolean;
  /** Descriptors by which the first process enters control groups. */
  readonly groups: { readonly first: number; readonly count: number };
}

/** Makes `dir`, in which the runtime finds what to start. */
export async function writeBundle(dir: string, o: BundleOptions): Promise<void> {
  const root = join(dir, "rootfs");
  await mkdir(root, { recursive: true, mode: 0o700 });
  const links = [
    ...systemDirectories().flatMap(({ path, target }) => (target === undefined ? [] : [[target, path] as const])),
    ["workspace/input", insidePaths.input] as const,
    ["workspace/output", insidePaths.output] as const,
  ];
  await Promise.all([
    ...links.map(([target, path]) => symlink(target, join(root, path))),
    writeFile(join(dir, "config.json"), JSON.stringify(configOf(o)), { mode: 0o600 }),
  ]);
}

/** A worker that is not root can be one user inside, and the runtime wants that to be root. */
export function innerUser(hasUserNamespace: boolean): number {
  return hasUserNamespace && isHostRoot() ? Number(innerId) : 0;
}

function configOf(o: BundleOptions): object {
  const { spec, hasUserNamespace, groups } = o;
  const user = innerUser(hasUserNamespace);
  const guarded = guardedPaths();
  const filter = systemCallFilter() === undefined ? "-" : filterInside;
  const namespaces = ["pid", "ipc", "uts", "mount", "cgroup"];
  if (hasUserNamespace) namespaces.push("user");
  if (spec.network !== "open") namespaces.push("network");
  const first = [`${toolsInside}/container`, "inside", filter, String(groups.first), String(groups.count)];
  return {
    ociVersion: "1.0.2",
    process: {
      terminal: false,
      user: { uid: user, gid: user },
      args: [...first, enterInside, "5"],
      env: [],
      cwd: insidePaths.workspace,
      capabilities: { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] },
      noNewPrivileges: true,
    },
    root: { path: "rootfs", readonly: true },
    hostname: "sandbox",
    mounts: mountsOf(o),
    linux: {
      namespaces: namespaces.map((type) => ({ type })),
      ...(hasUserNamespace ? mappingsOf(user) : {}),
      maskedPaths: [...guarded.emptied, ...guarded.hidden],
      // Of the host, whose root the program may be to it: their modes are not the program's to change.
      readonlyPaths: [...guarded.readOnly, ...devicePaths],
    },
  };
}

/** Files of this process's user are the program's own; root inside is nobody outside where this process may say so. */
function mappingsOf(user: number): object {
  const map = (hostID: number): object[] => [
    ...(user === 0 ? [] : [{ containerID: 0, hostID: spareId, size: 1 }]),
    { containerID: user, hostID, size: 1 },
  ];
  return { uidMappings: map(process.getuid!()), gidMappings: map(process.getgid!()) };
}

function mountsOf({ spec, tools, etcDir, trustDir }: BundleOptions): object[] {
  const size = `size=${spec.limits.tmpBytes ?? defaultTmpBytes}`;
  const closed = ["nosuid", "nodev"];
  // crun takes no `rro` for a file, under which nothing is mounted.
  const readOnly = (source: string, destination: string): object => ({
    destination,
    type: "bind",
    source,
    options: ["rbind", "ro", ...(statSync(source).isDirectory() ? ["rro"] : []), ...closed],
  });
  // What is mounted there later, for a sandbox that was started before its turn, is seen inside.
  const writable = (source: string, destination: string): object => ({
    destination,
    type: "bind",
    source,
    options: ["rbind", "rw", "rslave", ...closed],
  });
  const inMemory = (destination: string, options: readonly string[]): object => ({
    destination,
    type: "tmpfs",
    source: "tmpfs",
    options: [...options],
  });
  return [
    ...systemDirectories().flatMap(({ path, target }) => (target === undefined ? [readOnly(path, path)] : [])),
    { destination: "/proc", type: "proc", source: "proc", options: [...closed, "noexec"] },
    inMemory("/dev", ["nosuid", "noexec", "mode=755", "size=64k", "ro"]),
    {
      destination: "/dev/pts",
      type: "devpts",
      source: "devpts",
      options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
    },
    inMemory("/dev/shm", [...closed, "mode=1777", size]),
    inMemory("/tmp", [...closed, "mode=1777", size]),
    readOnly(etcDir, "/etc"),
    readOnly(tools.dir, toolsInside),
    ...(trustDir === undefined ? [] : [readOnly(trustDir, trustInside)]),
    ...spec.readOnlyPaths.filter((path) => !isSystemPath(path)).map((path) => readOnly(path, insidePathOf(spec, path))),
    readOnly(spec.imageDir, insidePaths.image),
    writable(join(spec.slotDir, "workspace"), insidePaths.workspace),
    writable(join(spec.slotDir, "state"), insidePaths.state),
  ];
}
