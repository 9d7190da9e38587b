// The programs of one release, this one or another, on services that releases share.

import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { freePort } from "@dari/embedded";
import { machineEnvironment } from "../config.ts";
import { startProgram, type Program } from "../program.ts";

export interface ReleasePlace {
  readonly name: string;
  /** Where its sources are. */
  readonly checkout: string;
  readonly dir: string;
  readonly databaseUrl: string;
  readonly redisUrl: string;
}

export interface Release {
  readonly place: ReleasePlace;
  readonly apiUrl: string;
  readonly programs: readonly Program[];
}

/** The same for all releases of an installation, because it decrypts the database's credentials. */
const masterKey = Buffer.alloc(32, 7).toString("base64");
const workers = 2;
const stopWithinMs = 60_000;

/** The reconciler first, because it prepares an empty database. */
export async function startRelease(place: ReleasePlace, stack: AsyncDisposableStack): Promise<Release> {
  const port = await freePort();
  const apiUrl = `http://127.0.0.1:${port}`;
  const start = async (kind: string, name: string, env: Readonly<Record<string, string>> = {}): Promise<Program> =>
    stack.use(
      await startProgram({
        name: `${place.name}-${name}`,
        entry: `apps/${kind}/src/main.ts`,
        checkout: place.checkout,
        env: { ...environmentOf(place), ...env },
        dir: place.dir,
        readyWhen: new RegExp(`${kind}\\.started`),
      }),
    );
  const reconciler = await start("reconciler", "reconciler");
  const others = await Promise.all([
    start("api", "api", { DARI_PORT: String(port), DARI_PUBLIC_URL: apiUrl }),
    ...Array.from({ length: workers }, (_, i) => {
      const workDir = path.join(place.dir, `${place.name}-work-${i + 1}`);
      return start("worker", `worker-${i + 1}`, { DARI_WORK_DIR: workDir, DARI_WORKER_SLOTS: "4" });
    }),
  ]);
  return { place, apiUrl, programs: [...others, reconciler] };
}

/** Ends them one after the other. Returns what was wrong with their ends. */
export async function endPrograms({ programs }: Release): Promise<string[]> {
  const problems: string[] = [];
  for (const program of programs) {
    const { code, signal } = await program.stop("SIGTERM", stopWithinMs);
    if (code !== 0) problems.push(`${program.name} ended with ${code ?? signal}`);
  }
  return problems;
}

/** Uses that release's own command. */
export async function createOrganization({ place }: Release): Promise<{ id: string; api_key: string }> {
  const entry = path.join(place.checkout, "apps/api/src/create-organization.ts");
  const args = ["--disable-warning=ExperimentalWarning", entry, "Our team"];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env: environmentOf(place) });
  return JSON.parse(stdout) as { id: string; api_key: string };
}

function environmentOf({ dir, databaseUrl, redisUrl }: ReleasePlace): Record<string, string> {
  return {
    ...machineEnvironment(),
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    DARI_QUEUE_PREFIX: "upgrade",
    DARI_BLOBS_DIR: path.join(dir, "objects"),
    DARI_MASTER_KEY: masterKey,
    DARI_LEASE_MS: "5000",
    DARI_BACKOFF_FIRST_MS: "100",
    DARI_SHUTDOWN_GRACE_MS: "10000",
    DARI_TURN_MEMORY_BYTES: String(1024 ** 3),
    DARI_SANDBOX: "process",
    DARI_MINIMUM_ISOLATION: "none",
  };
}
