import { test, expect } from "@jest/globals";
import { findService } from "@dari/testkit";
import { startFleet, nothing } from "../src/fleet.ts";
import { deploy } from "../src/conversation.ts";
import { play, resultsOf, scriptAgent } from "../src/script.ts";
test("smoke", async () => {
  const t0 = performance.now();
  const lap = (s: string) => process.stdout.write(`${s} ${Math.round(performance.now()-t0)}\n`);
  const fleet = await startFleet({ redisUrl: findService("redis")?.url });
  lap("fleet");
  try {
  const a = await deploy(fleet, scriptAgent());
  lap("deployed");
  const s = await fleet.client.createSession(a.agentId);
  for (let i=0;i<3;i++) { console.log(resultsOf(await play(fleet, s.id, [["version"],["context"],["environmentNames"]]))); lap("turn"); }
  const b = await deploy(fleet, scriptAgent({version: "20"})); lap("20");
  const c = await deploy(fleet, scriptAgent({version: "22"})); lap("22");
  } finally {
  expect(await fleet.close()).toEqual(nothing);
  lap("closed");
  }
});
