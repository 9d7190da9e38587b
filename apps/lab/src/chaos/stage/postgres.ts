// A Postgres server for the run, durable as in production, that can be stopped, crashed and started again.

import { setTimeout as sleep } from "node:timers/promises";
import { endProcess, identifyProcess, isSameProcessAlive, startPostgres, type EmbeddedPostgres } from "@dari/embedded";

export interface PostgresServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** The postmaster's pid, while it runs. */
  readonly pid: number;
  /** SIGINT: closes connections, writes a checkpoint. SIGQUIT: a crash; the next start replays the log. */
  end(signal: "SIGINT" | "SIGQUIT"): Promise<void>;
  /** On the same port. Returns at once if it already runs. */
  start(): Promise<void>;
}

const startTries = 20;

export async function startPostgresServer(dataDir: string): Promise<PostgresServer> {
  let running: EmbeddedPostgres = await startPostgres({ dataDir });
  const { url, port } = running;
  const start = async (): Promise<void> => {
    for (let tries = 1; ; tries++) {
      try {
        running = await startPostgres({ dataDir });
        break;
      } catch (error) {
        // Right after a crash, its children may still hold the shared memory.
        if (tries === startTries) throw error;
        await sleep(250);
      }
    }
    if (running.port !== port) throw new Error(`Postgres came back on port ${running.port} instead of ${port}`);
  };
  return {
    url,
    port,
    get pid() {
      return running.pid;
    },
    async end(signal) {
      const identity = identifyProcess(running.pid);
      if (identity === undefined) return;
      process.kill(running.pid, signal);
      while (isSameProcessAlive(identity)) await sleep(20);
    },
    start,
    async [Symbol.asyncDispose]() {
      // In any state: a server that fails during recovery ignores a polite request.
      const identity = identifyProcess(running.pid);
      if (identity === undefined) return;
      await endProcess(identity, [
        { signal: "SIGINT", waitMs: 10_000 },
        { signal: "SIGQUIT", waitMs: 10_000 },
        { signal: "SIGKILL", waitMs: 5_000 },
      ]);
    },
  };
}
