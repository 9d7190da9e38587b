// Describes a sandbox's view from inside as bubblewrap options. Reads nothing of the file system but the layout of the
// host's system directories.

import { basename, dirname, join } from "node:path";
import { egressEnvironment } from "@dari/gateway";
import { devicePaths } from "../slots/create-device-nodes.ts";
import { enterBind } from "../namespaces/enter-input.ts";
import { diskTmpOf, programEnvironment } from "../slots/slot.ts";
import {
  isSystemPath,
  systemDirectories,
  defaultTmpBytes,
  insidePaths,
  openNetworkFiles,
  protectedProcPaths,
  toPathInside,
  trustPathInside,
  userIdInside,
} from "../namespaces/paths-inside.ts";
import type { SandboxSpec } from "../types.ts";

/** Returns the options for every sandbox of this machine. `devicesDir`: device nodes that replace the host's nodes. */
export function commonBwrapArguments(o: { disableUserNamespaces: boolean; devicesDir: string | undefined }): string[] {
  const { devicesDir } = o;
  return [
    "--unshare-user",
    "--unshare-pid",
    "--unshare-ipc",
    "--unshare-uts",
    "--unshare-cgroup-try",
    ...(o.disableUserNamespaces ? ["--disable-userns"] : []),
    "--new-session",
    "--die-with-parent",
    "--cap-drop",
    "ALL",
    "--uid",
    userIdInside,
    "--gid",
    userIdInside,
    ...systemDirectories().flatMap(({ path, target }) =>
      target === undefined ? ["--ro-bind", path, path] : ["--symlink", target, path],
    ),
    "--proc",
    "/proc",
    ...guardedProc(),
    "--dev",
    "/dev",
    ...(devicesDir === undefined
      ? []
      : devicePaths.flatMap((path) => ["--dev-bind", join(devicesDir, basename(path)), path])),
  ];
}

function guardedProc(): string[] {
  const { readOnly, emptied, hidden } = protectedProcPaths();
  return [
    ...readOnly.flatMap((path) => ["--ro-bind", path, path]),
    ...emptied.flatMap((path) => ["--tmpfs", path, "--remount-ro", path]),
    ...hidden.flatMap((path) => ["--ro-bind", "/dev/null", path]),
    // Otherwise a program could raise the weight of its own sessions again (/proc/self/autogroup).
    "--remount-ro",
    "/proc",
  ];
}

/**
 * Returns the machine's options for a sandbox with its own host user: the first program in it must become that user,
 * which bubblewrap does not combine with its own limit on user namespaces (the system call filter has one).
 */
export function hostUserArguments(machineArgs: readonly string[]): string[] {
  const names = ["SETUID", "SETGID", "SETPCAP", "DAC_READ_SEARCH"];
  const capabilities = names.flatMap((name) => ["--cap-add", `CAP_${name}`]);
  return [...machineArgs.filter((word) => word !== "--disable-userns"), ...capabilities];
}

/** Maps this process's id to root of the sandbox, which owns the read-only files, and `id` to its user. */
export function hostUserIdMap(id: number): string {
  return `0 ${process.getuid!()} 1\n${userIdInside} ${id} 1\n`;
}

/**
 * Returns the options of one sandbox, which follow those of the machine. Later options override earlier ones.
 * `trustDir`: the directory with the certificates of the sandbox's egress.
 */
export function sandboxArguments(spec: SandboxSpec, etcDir: string, trustDir: string | undefined): string[] {
  const tmpBytes = String(spec.limits.tmpBytes ?? defaultTmpBytes);
  const diskTmp = diskTmpOf(spec);
  const inside = insidePaths;
  const isProxied = typeof spec.network === "object";
  const trust = trustDir === undefined ? undefined : trustPathInside;
  const proxied = isProxied ? egressEnvironment(undefined, trust) : {};
  const env = { ...programEnvironment(spec, { home: inside.state, tmp: "/tmp" }), ...proxied };
  const readable = spec.readOnlyPaths.filter((path) => !isSystemPath(path));
  const binds = [enterBind, ...readable.map((path) => [path, toPathInside(spec, path)] as const)];
  return [
    ...(spec.network === "open" ? [] : ["--unshare-net"]),
    "--ro-bind",
    etcDir,
    "/etc",
    ...(spec.network === "open" ? openNetworkFiles.flatMap((path) => ["--ro-bind-try", path, path]) : []),
    ...memoryDirectory("/dev/shm", tmpBytes),
    ...(diskTmp === undefined ? memoryDirectory("/tmp", tmpBytes) : ["--bind", diskTmp.dir, "/tmp"]),
    ...openParents(binds.map(([, inner]) => inner)),
    ...binds.flatMap(([path, inner]) => ["--ro-bind", path, inner]),
    ...(trustDir === undefined ? [] : ["--ro-bind", trustDir, trustPathInside]),
    "--ro-bind",
    spec.imageDir,
    inside.image,
    "--bind",
    `${spec.slotDir}/workspace`,
    inside.workspace,
    "--bind",
    `${spec.slotDir}/state`,
    inside.state,
    "--symlink",
    "workspace/input",
    inside.input,
    "--symlink",
    "workspace/output",
    inside.output,
    // /dev and / are in-memory file systems without a size limit, so make both read-only.
    "--remount-ro",
    "/dev",
    "--remount-ro",
    "/",
    "--chdir",
    inside.workspace,
    ...Object.entries(env).flatMap(([name, value]) => ["--setenv", name, value]),
  ];
}

/** Returns options for an in-memory file system that everyone can write to. */
function memoryDirectory(path: string, bytes: string): string[] {
  return ["--perms", "1777", "--size", bytes, "--tmpfs", path];
}

/** Returns options that create the parent directories of bind mounts. Bubblewrap would create them for its own user. */
function openParents(paths: readonly string[]): string[] {
  const dirs = new Set(paths.map(dirname).filter((dir) => dir !== "/"));
  return [...dirs].flatMap((dir) => ["--perms", "0755", "--dir", dir]);
}
