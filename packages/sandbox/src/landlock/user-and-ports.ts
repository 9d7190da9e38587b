// Assigns each sandbox without namespaces a user and loopback ports of its own on this machine.

import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";

export interface UserAndPorts {
  /** User and group; no other program of this machine uses them. */
  readonly user: number;
  /** Loopback ports, for the sandbox's proxy and for its own servers. */
  readonly firstPort: number;
  readonly lastPort: number;
  /** Releases the user and ports. Call it once no process of the user is alive. */
  leave(): void;
}

const firstUser = 58_000;
/** Number of ports of one sandbox: the maximum number of its connections and servers. */
export const portsPerPlace = 128;
/** Maximum number of sandboxes at the same time. A narrow port range allows fewer. */
export const placesMax = 64;
/** The part of the kernel's local port range that sandboxes can use. */
const portsShare = 0.5;

/**
 * Takes a user and ports that no other process of this machine has, and on which no socket listens; undefined if there
 * are none. They are released when this process ends, however it ends.
 */
export async function takeUserAndPorts(): Promise<UserAndPorts | undefined> {
  const [named, listening, any] = await Promise.all([namedUsers(), listeningPorts(), localPortRange()]);
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

/** Returns the range from which the kernel chooses automatic ports. A socket can narrow the range, but not leave it. */
async function localPortRange(): Promise<{ from: number; to: number }> {
  const text = await readFile("/proc/sys/net/ipv4/ip_local_port_range", "latin1").catch(() => "32768 60999");
  const [from = 0, to = 0] = text.trim().split(/\s+/).map(Number);
  return { from, to };
}

/** Takes a lock: an abstract socket name, which only one socket can have. Sandboxes cannot create such sockets. */
function takeLock(name: string): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", () => resolve(undefined));
    server.listen({ path: `\0${name}` }, () => resolve(server.unref()));
  });
}

/** Returns the users with a name. They may own files, so no sandbox may run as one of them. */
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
