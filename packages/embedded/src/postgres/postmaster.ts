// Reads postmaster.pid, the state of a running server.

import { readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { commandLineContains, identifyProcess, type ProcessIdentity } from "../process-identity.ts";

export interface Postmaster {
  readonly identity: ProcessIdentity;
  readonly port: number;
  /** "starting", "ready", "stopping" …; empty while the file is being written. */
  readonly status: string;
}

const fileName = "postmaster.pid";

/**
 * Returns the server that runs on this cluster; undefined if none does. After a crash, the file may name a process id
 * that another program has now. PostgreSQL would then refuse to start, so such a file is removed.
 */
export function findPostmaster(clusterDir: string): Postmaster | undefined {
  const file = path.join(clusterDir, fileName);
  const lines = readLines(file);
  const pid = Number(lines[0]);
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  const identity = identifyProcess(pid);
  if (!identity) return undefined;
  if (!commandLineContains(pid, clusterDir)) {
    rmSync(file, { force: true });
    return undefined;
  }
  return { identity, port: Number(lines[3] ?? 0), status: lines[7]?.trim() ?? "" };
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, "utf8").split("\n");
  } catch {
    return [];
  }
}
