// Encodes the input of confine.c of @dari/native for one sandbox: allowed paths, ports and limits.

import { realpath } from "node:fs/promises";
import { join } from "node:path";
import { etcPaths, openNetworkFiles } from "../namespaces/paths-inside.ts";
import { processCpuSeconds, processDataBytes, userLimitShares } from "../limits/rlimits.ts";
import type { SandboxSpec } from "../types.ts";
import type { UserAndPorts } from "./user-and-ports.ts";

/** Programs, libraries and the files in `etcPaths`, as in a sandbox with its own file system. */
const systemPaths = [
  ...["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"],
  ...etcPaths,
  ...openNetworkFiles,
  ...["/etc/passwd", "/etc/group"],
  // The files of /proc that describe the machine. Files of processes are not allowed, because an agent could read the
  // command lines of other processes.
  ...["cpuinfo", "filesystems", "loadavg", "meminfo", "stat", "sys", "uptime", "version"].map(
    (name) => `/proc/${name}`,
  ),
];
const devices = ["null", "zero", "full", "random", "urandom"].map((name) => `/dev/${name}`);

/** The kernel's limit is this multiple, so that the watcher of the sandbox notices and reports the excess first. */
const processesFactor = 4;

export interface Confinement {
  readonly spec: SandboxSpec;
  readonly env: Readonly<Record<string, string>>;
  readonly place: UserAndPorts;
  /** The newest Landlock version that is used. */
  readonly version: number;
  readonly workspace: string;
  readonly state: string;
  readonly tmp: string;
  readonly imageDir: string;
  /** Loopback ports that the sandbox may connect to, besides its own ports. */
  readonly ports: readonly number[];
}

/** Returns pairs of name and value, each terminated by NUL, after eight digits with their length. */
export async function encodeConfinement(o: Confinement): Promise<Buffer> {
  const { spec, place } = o;
  // A rule applies to the file that a path leads to, so a link needs a rule for its target.
  const readable = await Promise.all([o.imageDir, ...spec.readOnlyPaths].map((path) => realpath(path)));
  const pairs: (readonly [string, string | number])[] = [
    ["user", place.user],
    ["slot", spec.slotDir],
    ["version", o.version],
    ["firstPort", place.firstPort],
    ["lastPort", place.lastPort],
    ["network", spec.network === "open" ? "open" : "own"],
    ["directory", o.workspace],
    ...systemPaths.map((path) => ["system", path] as const),
    ...[...readable, "/proc/self"].map((path) => ["read", path] as const),
    ...devices.map((path) => ["device", path] as const),
    ...[o.workspace, o.state, o.tmp].map((path) => ["write", path] as const),
    ...o.ports.map((port) => ["port", port] as const),
    ...limitPairs(spec),
    ...spec.argv.map((argument) => ["argument", argument] as const),
    ...Object.entries(o.env).map(([name, value]) => ["variable", `${name}=${value}`] as const),
  ];
  const words = Buffer.from(`${pairs.flat().join("\0")}\0`);
  return Buffer.concat([Buffer.from(words.length.toString(16).padStart(8, "0")), words]);
}

function limitPairs({ limits }: SandboxSpec): (readonly [string, number])[] {
  const { openFiles, fileBytes, processes } = limits;
  const bounds = {
    core: 0,
    data: processDataBytes(limits),
    openFiles,
    fileBytes,
    cpu: processCpuSeconds(limits),
    processes: processes === undefined ? undefined : processes * processesFactor,
    ...userLimitShares(),
  };
  return Object.entries(bounds).flatMap(([name, bound]) => (bound === undefined ? [] : [[name, bound] as const]));
}

/** Returns the program's directories. `tmp` is removed with the sandbox. */
export function confinedDirectories(slotDir: string): Pick<Confinement, "workspace" | "state" | "tmp"> {
  return { workspace: join(slotDir, "workspace"), state: join(slotDir, "state"), tmp: join(slotDir, "tmp") };
}
