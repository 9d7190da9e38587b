// A session with real turns is exported from one platform and continues in another: its agent is built there and finds
// the conversation, the files and its own memory.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { findService } from "@dari/testkit";
import { deploy, uploadText } from "../src/conversation.ts";
import { noRemains, startFleet, type Fleet } from "../src/fleet.ts";
import { playScript, resultsOf, scriptAgent, type Step } from "../src/script.ts";

let here: Fleet;
let there: Fleet;

beforeAll(async () => {
  here = await startFleet({ redisUrl: findService("redis")?.url });
  there = await startFleet({});
}, 120_000);

afterAll(async () => {
  expect([await here.close(), await there.close()]).toEqual([noRemains, noRemains]);
}, 120_000);

test("the next turn in the other installation runs with history and files", async () => {
  const { agentId } = await deploy(here, scriptAgent());
  const { id } = await here.client.createSession(agentId, { name: "moved" });
  const fileId = await uploadText(here, "notes.txt", "the notes");
  const steps: Step[] = [
    ["write", "out/a.txt", "from here"],
    ["writeHome", "memory", "remembered"],
  ];
  const first = await playScript(here, id, steps, [fileId]);
  expect(first.status).toBe("completed");
  const exported = await new Response(await here.client.exportSession(id)).blob();

  const imported = await there.client.importSession(exported);
  expect(imported).toMatchObject({ name: "moved", status: "idle" });
  const next = await playScript(there, imported.id, [
    ["read", "out/a.txt"],
    ["read", "input/notes.txt"],
    ["readHome", "memory"],
    ["history"],
    ["write", "out/b.txt", "from there"],
  ]);
  expect(next).toMatchObject({ status: "completed", sequence_number: 2 });
  const [made, notes, memory, history] = resultsOf(next);
  expect([made, notes, memory]).toEqual(["from here", "the notes", "remembered"]);
  expect(JSON.stringify(history)).toContain("out/a.txt");
  expect(next.files_changed).toEqual([{ path: "/out/b.txt", change: "created", size_bytes: 10 }]);
  const diff = await there.client.getMessageDiff(next.id);
  expect(diff).toContain("+++ b/out/b.txt\n@@ -0,0 +1,1 @@\n+from there");

  // A second export and import, back to the platform that already has the version.
  const home = await here.client.importSession(
    await new Response(await there.client.exportSession(imported.id)).blob(),
  );
  expect(home.agent_id).toBe(agentId);
  const last = await playScript(here, home.id, [["read", "out/b.txt"]]);
  expect(resultsOf(last)).toEqual(["from there"]);
}, 120_000);
