import { test, expect } from "@jest/globals";
import { findService } from "@dari/testkit";
import { startFleet, nothing } from "../src/fleet.ts";
import { deploy } from "../src/conversation.ts";
import { play, scriptAgent } from "../src/script.ts";
test.each([findService("redis")?.url, undefined])("smoke", async (redisUrl) => {
  const fleet = await startFleet({ redisUrl });
  try {
  const a = await deploy(fleet, scriptAgent());
  const s = await fleet.client.createSession(a.agentId);
  for (let i=0;i<6;i++) { const t = performance.now(); const r = await play(fleet, s.id, [["version"]]); process.stdout.write(`${Math.round(performance.now()-t)} ${JSON.stringify(r.timings)} ${r.created_at} ${r.started_at} ${r.completed_at}\n`); }
  } finally {
  expect(await fleet.close()).toEqual(nothing);
  }
}, 300_000);
