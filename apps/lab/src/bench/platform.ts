// This platform as a contestant: the real API, reconciler and workers, except that the workers run no agent.

import path from "node:path";
import { freePort } from "@dari/embedded";
import { createTestOrganization } from "@dari/testkit";
import { deployFiles } from "../deploy-files.ts";
import type { Program } from "../program.ts";
import {
  createSessions,
  openContestant,
  platformEnvironment,
  profilingEnvironment,
  slots,
  startProgramOnStack,
  type Contestant,
  type ContestantOptions,
} from "./contestant.ts";
import { startServers, type Servers } from "./servers.ts";

export interface PlatformOptions extends ContestantOptions {
  readonly env?: Readonly<Record<string, string>>;
}

const noAgent = {
  "dari.yml": [
    "{name: nothing, sdk: opencode, entrypoint: 'agent.js:agent', runtime: {language: typescript},",
    "retries: {max_attempts: 3}}",
  ].join(" "),
  "package.json": '{"type":"module"}',
  "agent.js": 'export const agent = () => "ok";\n',
};

export async function startPlatform(options: PlatformOptions = {}): Promise<Contestant> {
  return openContestant("dari", async (dir, stack) => {
    const servers = await startServers(dir, stack, { counting: options.profileDir !== undefined });
    const port = await freePort();
    const env = { ...environmentOf(dir, servers, port), ...options.env };
    const program = (name: string, entry: string, own: Readonly<Record<string, string>> = {}): Promise<Program> => {
      const how = { name, entry, env: { ...env, ...own }, dir, readyWhen: /\.started/ };
      return startProgramOnStack(stack, how);
    };
    const { organizationId, apiKey } = await createTestOrganization(servers.db);
    const api = await program("api", "apps/api/src/main.ts", profilingEnvironment(options, "api"));
    const reconciler = await program(
      "reconciler",
      "apps/reconciler/src/main.ts",
      profilingEnvironment(options, "reconciler"),
    );
    const apiUrl = `http://127.0.0.1:${port}`;
    const { agentId, versionId } = await deployWithRealWorker({ apiUrl, apiKey }, () =>
      program("builder", "apps/worker/src/main.ts", { DARI_WORK_DIR: path.join(dir, "builder-work") }),
    );
    const settings = { ...profilingEnvironment(options, "worker"), DARI_WORK_DIR: path.join(dir, "worker-work") };
    const worker = await program("worker", "apps/lab/src/bench/null-agent/null-worker.ts", settings);
    const owner = { organizationId, agentId };
    const sessionIds = await createSessions(servers, owner, options.sessions ?? 0);
    const pids = { ...servers.pids, api: api.pid, reconciler: reconciler.pid, worker: worker.pid };
    return { apiUrl, apiKey, ...owner, versionId, sessionIds, pids, servers };
  });
}

/** The agent's image is real, although nothing runs it. */
async function deployWithRealWorker(
  api: { apiUrl: string; apiKey: string },
  start: () => Promise<Program>,
): Promise<{ agentId: string; versionId: string }> {
  const builder = await start();
  try {
    return await deployFiles(api, noAgent);
  } finally {
    await builder.stop();
  }
}

/** No agent uses memory. */
function environmentOf(dir: string, servers: Servers, port: number): Record<string, string> {
  return {
    ...platformEnvironment(dir, servers, port),
    DARI_DATABASE_POOL: "20",
    DARI_WORKER_SLOTS: String(slots),
    DARI_TURN_RESERVED_MB: "16",
  };
}
