// Finds the machine's Redis. npm has none, so it must be installed on the system.

import { spawnSync } from "node:child_process";

export interface RedisServer {
  /** The name of the program on the PATH. */
  readonly command: "redis-server" | "valkey-server";
  readonly version: string;
}

/** Advice for a person whose machine has none. */
export const redisInstallAdvice = "apt-get install redis-server, or brew install valkey";

const commands = ["redis-server", "valkey-server"] as const;
const oldestVersion = [6, 2] as const;

/** The first of redis-server and valkey-server on the PATH that is new enough (6.2); undefined if there is none. */
export function findRedisServer(): RedisServer | undefined {
  for (const command of commands) {
    const { stdout } = spawnSync(command, ["--version"], { encoding: "utf8" });
    const version = /\bv=(\d+)\.(\d+)[\w.]*/.exec(stdout ?? "");
    if (!version) continue;
    const [major, minor] = [Number(version[1]), Number(version[2])];
    const newEnough = major > oldestVersion[0] || (major === oldestVersion[0] && minor >= oldestVersion[1]);
    if (newEnough) return { command, version: version[0].slice(2) };
  }
  return undefined;
}
