// What a container looks like from inside, as an OCI runtime's config.json and the directory beside it. The program's
// environment is not in it: runtimes keep copies.

import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { mkdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { nativeFile } from "@dari/native";
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
import { devicePaths } from "../device-nodes.ts";
import { enterInside, nativeInside } from "../enter-program.ts";
import { ownName } from "../proc.ts";
import { terminals } from "../namespace-shares.ts";
import { isHostRoot } from "../rlimits.ts";
import { diskTmpOf } from "../slot.ts";
import { systemCallFilter } from "../seccomp/filter.ts";
import type { Egress } from "../egress/egress.ts";
import type { SandboxSpec } from "../types.ts";
import { limitsInKernel } from "./own-kernel.ts";
import type { Runtime } from "./runtimes.ts";

const toolsInside = dirname(nativeInside);
const filterInside = `${toolsInside}/filter`;
/** The same path as in relay.c of @dari/native. */
const portsInside = `${toolsInside}/ports`;

/**
 * The host's user that the container's root is: the runtime sets it up as that one, and no program runs as it. Nobody
 * has it, and no file is its own.
 */
const spareId = 4_294_967_293;

/** Returns the directory of our own programs that containers get. It is made below `dir`, once for equal contents. */
export async function openTools(dir: string): Promise<string> {
  const files = {
    [basename(nativeInside)]: await readFile(nativeFile),
    filter: systemCallFilter(),
    // Where a file of the spec's is mounted.
    [basename(scriptInside)]: Buffer.of(),
  };
  const digest = createHash("sha256");
  for (const [name, bytes] of Object.entries(files)) digest.update(name).update(bytes);
  const tools = join(dir, `tools-${digest.digest("hex").slice(0, 16)}`);
  if (existsSync(tools)) return tools;
  const fresh = join(dir, ownName());
  // Where what an egress is believed by is mounted, and its sockets.
  for (const path of [trustInside, portsInside]) await mkdir(join(fresh, basename(path)), { recursive: true });
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(fresh, name), bytes, { mode: 0o700 });
  // Where another process was faster its own stay.
  await rename(fresh, tools).catch(() => rm(fresh, { recursive: true }));
  return tools;
}

export interface BundleOptions {
  readonly spec: SandboxSpec;
  /** See `openTools`. */
  readonly toolsDir: string;
  /** Takes the place of /etc. */
  readonly etcDir: string;
  readonly egress: Pick<Egress, "ports" | "trustDir"> | undefined;
  readonly hasUserNamespace: boolean;
  readonly runtime: Pick<Runtime, "kind">;
}

/** Returns the directory of a bundle with a listening socket for each relayed port. */
export function portsDirOf(dir: string): string {
  return join(dir, "ports");
}

/** Makes `dir`, in which the runtime finds what to start. */
export async function writeBundle(dir: string, o: BundleOptions): Promise<void> {
  const root = join(dir, "rootfs");
  await mkdir(root, { recursive: true, mode: 0o700 });
  await mkdir(portsDirOf(dir), { mode: 0o700 });
  const links = [
    ...systemDirectories().flatMap(({ path, target }) => (target === undefined ? [] : [[target, path] as const])),
    ["workspace/input", insidePaths.input] as const,
    ["workspace/output", insidePaths.output] as const,
  ];
  await Promise.all([
    ...links.map(([target, path]) => symlink(target, join(root, path))),
    writeFile(join(dir, "config.json"), JSON.stringify(configOf(dir, o)), { mode: 0o600 }),
  ]);
}

/** A worker that is not root can be one user inside, and the runtime wants that to be root. */
export function innerUser(hasUserNamespace: boolean): number {
  return hasUserNamespace && isHostRoot() ? Number(innerId) : 0;
}

function configOf(dir: string, o: BundleOptions): object {
  const { spec, hasUserNamespace } = o;
  const user = innerUser(hasUserNamespace);
  const guarded = guardedPaths();
  const namespaces = ["pid", "ipc", "uts", "mount", "cgroup"];
  if (hasUserNamespace) namespaces.push("user");
  if (spec.network !== "open") namespaces.push("network");
  const full = o.runtime.kind.sharesKernel ? 0 : (limitsInKernel(spec.limits, o.egress).processes ?? 0);
  const relayed = relayedPorts(o);
  const relay = relayed.length === 0 ? [] : [nativeInside, "relay", relayed.join(",")];
  return {
    ociVersion: "1.0.2",
    process: {
      terminal: false,
      user: { uid: user, gid: user },
      args: [nativeInside, "container", "inside", filterInside, String(full), ...relay, ...enterInside, "5"],
      env: [],
      cwd: insidePaths.workspace,
      capabilities: { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] },
      noNewPrivileges: true,
    },
    root: { path: "rootfs", readonly: true },
    hostname: "sandbox",
    mounts: mountsOf(dir, o),
    linux: {
      namespaces: namespaces.map((type) => ({ type })),
      ...(hasUserNamespace ? mappingsOf(user) : {}),
      maskedPaths: [...guarded.emptied, ...guarded.hidden],
      // To the host, the program can be root, but it must not change the modes of the host's device nodes.
      readonlyPaths: [...guarded.readOnly, ...devicePaths],
    },
  };
}

/** Those that no socket can be handed over for. */
function relayedPorts({ egress, runtime }: BundleOptions): readonly number[] {
  return runtime.kind.sharesKernel ? [] : (egress?.ports ?? []);
}

/** Files of this process's user are the program's own; root inside is nobody outside where this process may say so. */
function mappingsOf(user: number): object {
  const map = (hostID: number): object[] => [
    ...(user === 0 ? [] : [{ containerID: 0, hostID: spareId, size: 1 }]),
    { containerID: user, hostID, size: 1 },
  ];
  return { uidMappings: map(process.getuid!()), gidMappings: map(process.getgid!()) };
}

function mountsOf(dir: string, o: BundleOptions): object[] {
  const { spec, toolsDir, etcDir, egress, runtime } = o;
  const trustDir = egress?.trustDir;
  const diskTmp = diskTmpOf(spec);
  const size = `size=${spec.limits.tmpBytes ?? defaultTmpBytes}`;
  const closed = ["nosuid", "nodev"];
  // Read-only for the reason that bubblewrap's is; in a kernel of its own a program has no weight of the host's.
  const procOptions = [...closed, "noexec", ...(runtime.kind.sharesKernel ? ["ro"] : [])];
  // crun takes no `rro` for a file, under which nothing is mounted, and gVisor has nothing below that is mounted.
  const isDeep = (source: string): boolean => runtime.kind.sharesKernel && statSync(source).isDirectory();
  const readOnly = (source: string, destination: string): object => ({
    destination,
    type: "bind",
    source,
    options: ["rbind", "ro", ...(isDeep(source) ? ["rro"] : []), ...closed],
  });
  // What is mounted there later, for a sandbox that was started before its turn, is seen inside.
  const writable = (source: string, destination: string): object => ({
    destination,
    type: "bind",
    source,
    options: ["rbind", "rw", "rslave", ...closed],
  });
  return [
    ...systemDirectories().flatMap(({ path, target }) => (target === undefined ? [readOnly(path, path)] : [])),
    { destination: "/proc", type: "proc", source: "proc", options: procOptions },
    ...(runtime.kind.sharesKernel ? devices() : []),
    inMemory("/dev/shm", [...closed, "mode=1777", size]),
    diskTmp === undefined ? inMemory("/tmp", [...closed, "mode=1777", size]) : writable(diskTmp.dir, "/tmp"),
    readOnly(etcDir, "/etc"),
    readOnly(toolsDir, toolsInside),
    ...(trustDir === undefined ? [] : [readOnly(trustDir, trustInside)]),
    ...(relayedPorts(o).length === 0 ? [] : [readOnly(portsDirOf(dir), portsInside)]),
    ...spec.readOnlyPaths.filter((path) => !isSystemPath(path)).map((path) => readOnly(path, insidePathOf(spec, path))),
    readOnly(spec.imageDir, insidePaths.image),
    writable(join(spec.slotDir, "workspace"), insidePaths.workspace),
    writable(join(spec.slotDir, "state"), insidePaths.state),
  ];
}

/** A kernel of its own has its own. */
function devices(): object[] {
  return [
    inMemory("/dev", ["nosuid", "noexec", "mode=755", "size=64k", "ro"]),
    {
      destination: "/dev/pts",
      type: "devpts",
      source: "devpts",
      options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", `max=${terminals}`],
    },
  ];
}

function inMemory(destination: string, options: readonly string[]): object {
  return { destination, type: "tmpfs", source: "tmpfs", options: [...options] };
}
