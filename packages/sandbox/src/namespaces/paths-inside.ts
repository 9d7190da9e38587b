// What sandboxes in namespaces see: directories, the host's system directories, files of /etc, and protected paths of
// /proc.

import { existsSync, lstatSync, readlinkSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { SandboxPaths, SandboxSpec } from "../types.ts";

export const insidePaths: Required<SandboxPaths> = {
  workspace: "/workspace",
  state: "/state",
  image: "/agent",
  input: "/input",
  output: "/output",
};

const rootfs = fileURLToPath(new URL("../../rootfs", import.meta.url));
/** Directories of the sandbox that are in-memory file systems. */
export const memoryDirs: readonly string[] = ["/tmp", "/dev/shm"];
export const defaultTmpBytes = 1024 * 1024 * 1024;
/** The user id inside. It is not 0, because some programs refuse to run as root. */
export const userIdInside = "1000";

/** Files that name resolution, TLS, time zones and Debian's links need. None of them contains a secret. */
export const etcPaths = [
  "nsswitch.conf",
  "host.conf",
  "gai.conf",
  "services",
  "protocols",
  "localtime",
  "timezone",
  "mime.types",
  "ld.so.cache",
  "ld.so.conf",
  "ld.so.conf.d",
  "alternatives",
  "os-release",
  "ssl/certs",
  "ssl/openssl.cnf",
  "pki/tls/certs",
  "pki/tls/openssl.cnf",
  "pki/ca-trust/extracted",
  "ca-certificates",
  "crypto-policies",
  "fonts",
].map((name) => `/etc/${name}`);

/** Our own files in /etc. */
export const ownEtcFiles = {
  passwd: `${rootfs}/etc/passwd`,
  group: `${rootfs}/etc/group`,
  hosts: `${rootfs}/etc/hosts`,
  "resolv.conf": `${rootfs}/etc/resolv.conf`,
};

/** The host's files for a sandbox with the host's network, which other sandboxes have their own of. */
export const openNetworkFiles = ["/etc/hosts", "/etc/resolv.conf"];

export type ProtectedPaths = Readonly<Record<"readOnly" | "emptied" | "hidden", readonly string[]>>;

/**
 * Returns the paths of /proc that a sandbox must not see or change. Host root may write kernel settings without any
 * capability: the sandbox of a root worker could set kernel.core_pattern and run a program on the host. Other paths
 * reveal facts about the host.
 */
export function protectedProcPaths(): ProtectedPaths {
  const existing = (names: readonly string[]): string[] =>
    names.map((name) => `/proc/${name}`).filter((path) => existsSync(path));
  return {
    readOnly: existing(["sys", "sysrq-trigger", "irq", "bus", "fs", "mtrr", "pressure"]),
    emptied: existing(["acpi", "scsi"]),
    hidden: existing([
      "kcore",
      // Contains the host's boot parameters.
      "cmdline",
      "keys",
      "key-users",
      "timer_list",
      "sched_debug",
      "kpagecount",
      "kpageflags",
      "latency_stats",
    ]),
  };
}

export const scriptPathInside = "/.sandbox/script.cjs";

/** Returns the path inside the sandbox of a file in `argv` or `readOnlyPaths`. */
export function toPathInside(spec: Pick<SandboxSpec, "script">, path: string): string {
  return path === spec.script ? scriptPathInside : path;
}

export const trustPathInside = "/.sandbox/trust";

/** Returns the host's system directories. `target`: the target of a link. */
export function systemDirectories(): { readonly path: string; readonly target?: string }[] {
  const found: { path: string; target?: string }[] = [{ path: "/usr" }];
  for (const path of ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"]) {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats?.isSymbolicLink()) found.push({ path, target: readlinkSync(path) });
    else if (stats?.isDirectory()) found.push({ path });
  }
  return found;
}

export function isSystemPath(path: string): boolean {
  return /^\/(usr|bin|sbin|lib|lib32|lib64|libx32)(\/|$)/.test(path);
}
