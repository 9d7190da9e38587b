// Finds a Redis or Valkey server on the machine. npm has no package of one, so it must be installed on the system.

import { spawnSync } from "node:child_process";

export interface RedisServer {
  /** The name of the program on the PATH. */
  readonly command: "redis-server" | "valkey-server";
  readonly version: string;
}

/** How to install a server. Error messages append it after a semicolon. */
export const redisInstallAdvice = "install one with `apt-get install redis-server` or `brew install valkey`";

const commands = ["redis-server", "valkey-server"] as const;
const minimumVersion = [6, 2] as const;

/** Returns the first of redis-server and valkey-server on the PATH whose version is at least 6.2, else undefined. */
export function findRedisServer(): RedisServer | undefined {
  for (const command of commands) {
    const { stdout } = spawnSync(command, ["--version"], { encoding: "utf8" });
    const version = /\bv=(\d+)\.(\d+)[\w.]*/.exec(stdout ?? "");
    if (!version) continue;
    const [major, minor] = [Number(version[1]), Number(version[2])];
    const isNewEnough = major > minimumVersion[0] || (major === minimumVersion[0] && minor >= minimumVersion[1]);
    if (isNewEnough) return { command, version: version[0].slice(2) };
  }
  return undefined;
}
