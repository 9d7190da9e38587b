// A Postgres of the run's own, durable as in production, that can be stopped, crashed and started again in its place.

import { setTimeout as sleep } from "node:timers/promises";
import { endProcess, identifyProcess, isSameProcessAlive, startPostgres, type EmbeddedPostgres } from "@dari/embedded";

export interface PostgresServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** The postmaster, while it runs. */
  readonly pid: number;
  /** SIGINT: ends connections, writes a checkpoint. SIGQUIT: a crash, after which the next start replays the log. */
  end(signal: "SIGINT" | "SIGQUIT"): Promise<void>;
  /** On the same port. Returns at once when it runs. */
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
        // Right after a crash its children may still hold the shared memory.
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
      // In whatever state it is: one that does not get through its recovery hears no polite request.
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
