// Servers of one test, in a directory of its own.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach } from "@jest/globals";
import { endProcess, identifyProcess, startPostgres, type EmbeddedPostgres } from "../src/index.ts";

export const asksForScram = { type: "R", code: 10 };

export async function killServer(pid: number): Promise<void> {
  const identity = identifyProcess(pid);
  if (identity) await endProcess(identity, [{ signal: "SIGKILL", waitMs: 10_000 }]);
}

/** Gives each test of the calling file a directory for its server, and stops the servers after it. */
export function usePostgres() {
  let dataDir: string;
  let running: EmbeddedPostgres[];
  beforeEach(() => {
    dataDir = mkdtempSync(path.join(tmpdir(), "dari-embedded-"));
    running = [];
  });
  afterEach(async () => {
    for (const server of running) await server.stop();
    for (const server of running) await killServer(server.pid);
    rmSync(dataDir, { recursive: true, force: true });
  });
  return {
    dataDir: () => dataDir,
    async start(options: Partial<Parameters<typeof startPostgres>[0]> = {}): Promise<EmbeddedPostgres> {
      const server = await startPostgres({ dataDir, fast: true, ...options });
      running.push(server);
      return server;
    },
  };
}
