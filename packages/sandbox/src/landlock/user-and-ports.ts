// What a sandbox without namespaces has for itself on this machine: a user, and loopback ports.

import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";

export interface UserAndPorts {
  /** User and group; no other program of this machine uses them. */
  readonly user: number;
  /** Loopback ports: of its proxy, and for its own servers. */
  readonly firstPort: number;
  readonly lastPort: number;
  /** Call it once no process of the user is alive. */
  leave(): void;
}

const firstUser = 58_000;
/** Maximum number of connections and servers of a sandbox. */
export const portsPerPlace = 128;
const placesMax = 64;
/** The share of the kernel's local port range that is used for places. */
const portsShare = 0.5;

/**
 * Takes a place that no other process of this machine has, and in whose ports no socket listens; undefined if there is
 * none. It is released when this process ends, however it ends.
 */
export async function takeUserAndPorts(): Promise<UserAndPorts | undefined> {
  const [named, listening, any] = await Promise.all([namedUsers(), listeningPorts(), anyPorts()]);
  const places = Math.min(placesMax, Math.floor(((any.to - any.from + 1) * portsShare) / portsPerPlace));
  for (let index = 0; index < places; index++) {
    const user = firstUser + index;
    const lastPort = any.to - index * portsPerPlace;
    const firstPort = lastPort - portsPerPlace + 1;
    if (named.has(user) || listening.some((port) => port >= firstPort && port <= lastPort)) continue;
    const lock = await takeLock(`dari-sandbox-user-${user}`);
    if (lock === undefined) continue;
    return { user, firstPort, lastPort, leave: () => void lock.close() };
  }
  return undefined;
}

/** The kernel chooses automatic ports from this range. A socket can narrow the range, but not leave it. */
async function anyPorts(): Promise<{ from: number; to: number }> {
  const text = await readFile("/proc/sys/net/ipv4/ip_local_port_range", "latin1").catch(() => "32768 60999");
  const [from = 0, to = 0] = text.trim().split(/\s+/).map(Number);
  return { from, to };
}

/** An abstract socket name that only one socket can have. Sandboxes cannot create such sockets. */
function takeLock(name: string): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", () => resolve(undefined));
    server.listen({ path: `\0${name}` }, () => resolve(server.unref()));
  });
}

/** A user with a name may own files. */
async function namedUsers(): Promise<ReadonlySet<number>> {
  const text = await readFile("/etc/passwd", "latin1").catch(() => "");
  return new Set(text.split("\n").map((line) => Number(line.split(":")[2])));
}

/** Returns the listening ports of this network namespace. */
async function listeningPorts(): Promise<number[]> {
  const tables = await Promise.all(
    ["tcp", "tcp6"].map((name) => readFile(`/proc/net/${name}`, "latin1").catch(() => "")),
  );
  const found = tables.join("\n").matchAll(/^ *\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} 0A /gm);
  return [...found].map(([, port]) => Number.parseInt(port!, 16));
}
