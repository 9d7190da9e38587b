// A plain BullMQ queue as a contestant: its API and its worker, with the platform's tables.

import { readFile } from "node:fs/promises";
import path from "node:path";
import { freePort } from "@dari/embedded";
import { createTestAgent, createTestOrganization } from "@dari/testkit";
import type { Program } from "../program.ts";
import {
  createSessions,
  openContestant,
  profilingEnvironment,
  programEnvironment,
  slots,
  startProgramOnStack,
  type Contestant,
  type ContestantOptions,
} from "./contestant.ts";
import { startServers } from "./servers.ts";

export async function startPeer(options: ContestantOptions = {}): Promise<Contestant> {
  return openContestant("bullmq", async (dir, stack) => {
    const servers = await startServers(dir, stack, { counting: options.profileDir !== undefined });
    await servers.db.pool.query(await readFile(path.join(import.meta.dirname, "peers/plain.sql"), "utf8"));
    const { organizationId, apiKey } = await createTestOrganization(servers.db);
    const { agentId, versionId } = await createTestAgent(servers.db, organizationId);
    const port = await freePort();
    const program = (role: "api" | "worker"): Promise<Program> =>
      startProgramOnStack(stack, {
        name: role,
        entry: "apps/lab/src/bench/peers/main.ts",
        env: {
          ...programEnvironment(servers),
          ...profilingEnvironment(options, `bullmq-${role}`),
          PEER_PROGRAM: role,
          PEER_SLOTS: String(slots),
          PORT: String(port),
        },
        dir,
        readyWhen: /peer started/,
      });
    const api = await program("api");
    const worker = await program("worker");
    const owner = { organizationId, agentId };
    const sessionIds = await createSessions(servers, owner, options.sessions ?? 0);
    const pids = { ...servers.pids, api: api.pid, worker: worker.pid };
    return { apiUrl: `http://127.0.0.1:${port}`, apiKey, ...owner, versionId, sessionIds, pids, servers };
  });
}
