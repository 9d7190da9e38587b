// Builds of several organizations share a worker: one that hangs delays no other organization.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createClient } from "@dari/client";
import { createTestOrganization, findService } from "@dari/testkit";
import { deploy, manifestFile, submit, type Platform, type Submitted } from "../src/conversation.ts";
import { noRemains, startFleet, type Fleet } from "../src/fleet.ts";

let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet({ redisUrl: findService("redis")?.url });
}, 120_000);
afterAll(async () => {
  expect(await fleet.close()).toEqual(noRemains);
}, 120_000);

const agent = manifestFile({ entrypoint: "agent.mjs:agent" });
const hanging = "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);\nexport const agent = () => '';";
const quick = "export const agent = (prompt) => prompt;";

test("an organization's version is built while another organization's builds hang", async () => {
  // Loading the entrypoint is a step of the build.
  const hang = (n: number): Promise<Submitted> => submit(fleet, { ...agent, "agent.mjs": `${hanging}\n// ${n}` });
  const stuck = [await hang(1), await hang(2)];
  const { apiKey } = await createTestOrganization(fleet.db);
  const other: Platform = { apiUrl: fleet.apiUrl, apiKey, client: createClient({ apiUrl: fleet.apiUrl, apiKey }) };
  await deploy(other, { ...agent, "agent.mjs": quick });
  for (const { agentId, versionId } of stuck) {
    expect((await fleet.client.getVersion(agentId, versionId)).status).toBe("building");
  }
});
