// Describes a container's view from inside, as an OCI runtime's config.json and the directory beside it. The config
// does not contain the program's environment, because runtimes keep copies of it.

import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { mkdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Egress } from "@dari/gateway";
import { nativeFile } from "@dari/native";
import {
  isSystemPath,
  systemDirectories,
  defaultTmpBytes,
  protectedProcPaths,
  userIdInside,
  toPathInside,
  insidePaths,
  openNetworkFiles,
  scriptPathInside,
  trustPathInside,
} from "../namespaces/paths-inside.ts";
import { devicePaths } from "../slots/create-device-nodes.ts";
import { enterCommandInside, nativePathInside } from "../namespaces/enter-input.ts";
import { createOwnedName } from "../processes/read-proc.ts";
import { terminals } from "../namespaces/namespace-shares.ts";
import { isHostRoot } from "../limits/rlimits.ts";
import { diskTmpOf } from "../slots/slot.ts";
import { systemCallFilter } from "../seccomp/filter.ts";
import type { SandboxSpec } from "../types.ts";
import { limitsForGuestKernel } from "./guest-kernel.ts";
import type { Runtime } from "./runtimes.ts";

const toolsInside = dirname(nativePathInside);
const filterInside = `${toolsInside}/filter`;
/** The same path as in relay.c of @dari/native. */
const portsInside = `${toolsInside}/ports`;

/**
 * The host user that is root in the container. The runtime uses it for the setup, and no program runs as this user. No
 * account and no file has this id.
 */
const spareId = 4_294_967_293;

/** Installs our own programs for containers below `dir`, once for equal contents. Returns their directory. */
export async function installTools(dir: string): Promise<string> {
  const files = {
    [basename(nativePathInside)]: await readFile(nativeFile),
    filter: systemCallFilter(),
    // The mount point of the spec's script.
    [basename(scriptPathInside)]: Buffer.of(),
  };
  const digest = createHash("sha256");
  for (const [name, bytes] of Object.entries(files)) digest.update(name).update(bytes);
  const tools = join(dir, `tools-${digest.digest("hex").slice(0, 16)}`);
  if (existsSync(tools)) return tools;
  const fresh = join(dir, createOwnedName());
  // The mount points of an egress's certificates and sockets.
  for (const path of [trustPathInside, portsInside]) await mkdir(join(fresh, basename(path)), { recursive: true });
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(fresh, name), bytes, { mode: 0o700 });
  // If another process was faster, keep its files.
  await rename(fresh, tools).catch(() => rm(fresh, { recursive: true }));
  return tools;
}

export interface BundleOptions {
  readonly spec: SandboxSpec;
  /** See `installTools`. */
  readonly toolsDir: string;
  /** Replaces /etc. */
  readonly etcDir: string;
  readonly egress: Pick<Egress, "ports" | "trustDir"> | undefined;
  readonly hasUserNamespace: boolean;
  readonly runtime: Pick<Runtime, "kind">;
}

/** Returns the directory of a bundle that has a listening socket for each relayed port. */
export function socketDirOf(dir: string): string {
  return join(dir, "ports");
}

/** Creates `dir` with what the runtime needs to start the container. */
export async function writeBundle(dir: string, o: BundleOptions): Promise<void> {
  const root = join(dir, "rootfs");
  await mkdir(root, { recursive: true, mode: 0o700 });
  await mkdir(socketDirOf(dir), { mode: 0o700 });
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

/** Returns the user id inside. A worker that is not root can map only one id, which must be root for the runtime. */
export function containerUser(hasUserNamespace: boolean): number {
  return hasUserNamespace && isHostRoot() ? Number(userIdInside) : 0;
}

function configOf(dir: string, o: BundleOptions): object {
  const { spec, hasUserNamespace } = o;
  const user = containerUser(hasUserNamespace);
  const guarded = protectedProcPaths();
  const namespaces = ["pid", "ipc", "uts", "mount", "cgroup"];
  if (hasUserNamespace) namespaces.push("user");
  if (spec.network !== "open") namespaces.push("network");
  const full = o.runtime.kind.sharesKernel ? 0 : (limitsForGuestKernel(spec.limits, o.egress).processes ?? 0);
  const relayed = relayedPorts(o);
  const relay = relayed.length === 0 ? [] : [nativePathInside, "relay", relayed.join(",")];
  return {
    ociVersion: "1.0.2",
    process: {
      terminal: false,
      user: { uid: user, gid: user },
      args: [nativePathInside, "container", "inside", filterInside, String(full), ...relay, ...enterCommandInside, "5"],
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
      // For the host, the program can be root. It must not change the modes of the host's device nodes.
      readonlyPaths: [...guarded.readOnly, ...devicePaths],
    },
  };
}

/** Returns the ports whose listening sockets the container cannot hand over, so that they are relayed. */
function relayedPorts({ egress, runtime }: BundleOptions): readonly number[] {
  return runtime.kind.sharesKernel ? [] : (egress?.ports ?? []);
}

/** Returns the id maps: the program's user is this process's user outside. Root inside is an unused user outside. */
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
  // /proc is read-only for the same reason as with bubblewrap. With a separate kernel, this reason does not apply.
  const procOptions = [...closed, "noexec", ...(runtime.kind.sharesKernel ? ["ro"] : [])];
  // Use `rro` only for directories that can have mounts below: crun does not accept it for files, and gVisor has no
  // such mounts.
  const isDeep = (source: string): boolean => runtime.kind.sharesKernel && statSync(source).isDirectory();
  const readOnly = (source: string, destination: string): object => ({
    destination,
    type: "bind",
    source,
    options: ["rbind", "ro", ...(isDeep(source) ? ["rro"] : []), ...closed],
  });
  // `rslave`: what is mounted later, for a preloaded sandbox, appears inside.
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
    ...(spec.network === "open"
      ? openNetworkFiles.filter((path) => existsSync(path)).map((path) => readOnly(path, path))
      : []),
    readOnly(toolsDir, toolsInside),
    ...(trustDir === undefined ? [] : [readOnly(trustDir, trustPathInside)]),
    ...(relayedPorts(o).length === 0 ? [] : [readOnly(socketDirOf(dir), portsInside)]),
    ...spec.readOnlyPaths.filter((path) => !isSystemPath(path)).map((path) => readOnly(path, toPathInside(spec, path))),
    readOnly(spec.imageDir, insidePaths.image),
    writable(join(spec.slotDir, "workspace"), insidePaths.workspace),
    writable(join(spec.slotDir, "state"), insidePaths.state),
  ];
}

/** Returns the mounts of /dev. A separate kernel has its own devices. */
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
