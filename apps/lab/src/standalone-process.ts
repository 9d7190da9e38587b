// `npm start` in its own directory, as a user runs it. Everything it started ends with it.

import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createTestDatabase, findService } from "@dari/testkit";
import { machineEnvironment } from "./config.ts";
import { startProgram, type Program } from "./program.ts";
import { removeDirectory } from "./remove-directory.ts";
import { rendezvousEndpoint } from "./rendezvous.ts";

export interface StandaloneProcess extends AsyncDisposable {
  readonly apiUrl: string;
  readonly apiKey: string;
  readonly dataDir: string;
  readonly program: Program;
}

/**
 * Starts on a free port; `environment` is added to this machine's own. `existing`: a data directory that is kept
 * (default: a new one that is removed). `through` and `checkout`: see `ProgramOptions`. With a new directory in a test
 * run, its database is on the run's server, because creating a cluster takes seconds.
 */
export async function startStandalone(
  environment: Record<string, string> = {},
  existing?: string,
  through?: readonly string[],
  checkout?: string,
): Promise<StandaloneProcess> {
  await using starting = new AsyncDisposableStack();
  const dataDir = existing ?? (await mkdtemp(path.join(tmpdir(), "dari-lab-")));
  if (existing === undefined) starting.defer(() => removeDirectory(dataDir));
  const isOnTestServer = existing === undefined && findService("postgres") !== undefined;
  const database = isOnTestServer ? starting.adopt(await createTestDatabase(), (made) => made.close()) : undefined;
  const program = starting.use(
    await startProgram({
      name: "standalone",
      entry: "apps/standalone/src/main.ts",
      dir: dataDir,
      through,
      ...(checkout === undefined ? {} : { checkout }),
      env: {
        ...machineEnvironment(),
        DARI_PORT: "0",
        DARI_DATA_DIR: dataDir,
        DARI_EGRESS_ALLOW: rendezvousEndpoint,
        ...(database === undefined ? {} : { DATABASE_URL: database.url }),
        ...environment,
      },
      readyWhen: /Press Ctrl-C to stop/,
    }),
  );
  const connection = JSON.parse(await readFile(path.join(dataDir, "connection.json"), "utf8")) as Record<
    string,
    string
  >;
  const stack = starting.move();
  return {
    apiUrl: connection["api_url"] ?? "",
    apiKey: connection["api_key"] ?? "",
    dataDir,
    program,
    async [Symbol.asyncDispose]() {
      if (program.isRunning) await program.stop("SIGINT");
      await stack.disposeAsync();
    },
  };
}
