// Ends servers when this process exits without closing them, after a forced exit or an uncaught exception. The servers
// have their own sessions and would live on.

import { isSameProcessAlive, type ProcessIdentity } from "./process-identity.ts";

interface Server {
  readonly identity: ProcessIdentity;
  readonly signal: NodeJS.Signals;
}

/** By the directory of their files. */
const servers = new Map<string, Server>();

/** Sends `signal` to the server of `dir` when this process exits, until `cancelEndAtExit(dir)`. */
export function endAtExit(dir: string, server: Server): void {
  if (servers.size === 0) process.on("exit", endAll);
  servers.set(dir, server);
}

export function cancelEndAtExit(dir: string): void {
  servers.delete(dir);
  if (servers.size === 0) process.off("exit", endAll);
}

function endAll(): void {
  for (const { identity, signal } of servers.values()) {
    try {
      if (isSameProcessAlive(identity)) process.kill(identity.pid, signal);
    } catch {
      // It has ended, or belongs to another user.
    }
  }
}
