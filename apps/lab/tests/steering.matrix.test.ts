// Messages that steer, with each SDK that takes them and with functions: at each place of a turn, at its end, beside an
// approval, and with a worker that is killed after the agent got the message.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { atNight, isNightly, startAnthropicServer, startOpenaiServer, type ModelServer } from "@dari/testkit";
import { deploy } from "../src/conversation.ts";
import { noRemains, type Fleet } from "../src/fleet.ts";
import { startFleetWith } from "../src/sdk-agents.ts";
import { steeredAgents } from "./steered-agents.ts";
import { expectApproval, expectEnds, expectKills, expectPlaces, type Steered } from "./steering-cases.ts";

let fleet: Fleet;
let servers: Readonly<Record<"openai" | "anthropic", ModelServer>>;
let env: Record<string, string>;

beforeAll(async () => {
  const unscripted = () => ({ text: "unscripted" });
  servers = { openai: await startOpenaiServer(unscripted), anthropic: await startAnthropicServer(unscripted) };
  // A short lease, as workers are killed. Installing an SDK keeps a small machine busy for longer than the shortest.
  fleet = await startFleetWith(Object.values(servers), ["OPENAI_API_KEY", "ANTHROPIC_API_KEY"], {
    DARI_LEASE_MS: "10000",
  });
  env = {
    OPENAI_BASE_URL: `${servers.openai.url}/v1`,
    OPENAI_AGENTS_DISABLE_TRACING: "1",
    ANTHROPIC_BASE_URL: servers.anthropic.url,
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
  };
}, 120_000);

afterAll(async () => {
  expect(await fleet.close()).toEqual(noRemains);
  for (const server of Object.values(servers)) await server[Symbol.asyncDispose]();
}, 120_000);

for (const agent of steeredAgents) {
  const run = agent.isInMatrix ? test : atNight(test);
  run(
    `${agent.title} gets each message once, where its record says`,
    async () => {
      const { agentId } = await deploy(fleet, agent.filesFor(env));
      const inNewSession = async (): Promise<Steered> => {
        const { id: session } = await fleet.client.createSession(agentId);
        return { fleet, agent, session, server: servers[agent.provider] };
      };
      await expectPlaces(await inNewSession());
      await expectEnds(await inNewSession());
      if (agent.pay !== undefined) await expectApproval(await inNewSession(), agent.pay);
      // Each waits for the end of a lease. By day, the suite `busy` kills a worker.
      if (isNightly()) await expectKills(await inNewSession());
    },
    900_000,
  );
}
