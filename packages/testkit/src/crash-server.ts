// A test's own PostgreSQL that can be crashed: committed data is on its disk, as in an installation.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { migrate } from "@dari/db";
import { endProcess, identifyProcess, startPostgres, type EmbeddedPostgres } from "@dari/embedded";

export interface CrashServer extends AsyncDisposable {
  /** The superuser's URL of a migrated database. Changes with every start. */
  readonly url: string;
  /** Ends every process of the server at once (SIGQUIT), so that unflushed data is lost. Then starts it again. */
  crash(): Promise<void>;
}

const crashWithinMs = 20_000;

export async function startCrashServer(): Promise<CrashServer> {
  await using starting = new AsyncDisposableStack();
  const dir = mkdtempSync(path.join(tmpdir(), "dari-crash-"));
  starting.defer(() => rmSync(dir, { recursive: true, force: true }));
  const start = (): Promise<EmbeddedPostgres> => startPostgres({ dataDir: path.join(dir, "postgres") });
  let server = await start();
  starting.defer(() => server.stop());
  await migrate(server.url);
  const stack = starting.move();
  return {
    get url() {
      return server.url;
    },
    async crash() {
      const postmaster = identifyProcess(server.pid);
      if (postmaster === undefined) throw new Error("the server is not running");
      await endProcess(postmaster, [{ signal: "SIGQUIT", waitMs: crashWithinMs }]);
      await server.stop();
      server = await start();
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
