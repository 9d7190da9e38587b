// A session with real turns is exported from one platform and continues in another: its agent is built there and finds
// the conversation, the files and its own memory. Also by the commands of docs/cluster.md.

import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { findService } from "@dari/testkit";
import { machineEnvironment } from "../src/config.ts";
import { deploy, uploadText } from "../src/conversation.ts";
import { dariCommand, run } from "../src/curl.ts";
import { noRemains, startFleet, type Fleet } from "../src/fleet.ts";
import { checkout } from "../src/program.ts";
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

test("the commands of docs/cluster.md move every session", async () => {
  const agent = scriptAgent();
  const { agentId } = await deploy(here, agent);
  for (const name of ["first", "second"]) {
    const { id } = await here.client.createSession(agentId, { name });
    await playScript(here, id, [["write", "name.txt", name]]);
  }
  const { agentId: deployed } = await deploy(there, agent);
  const dir = await mkdtemp(path.join(tmpdir(), "dari-move-"));
  try {
    const write = async (file: string, text: string, mode = 0o600): Promise<void> => {
      await mkdir(path.dirname(path.join(dir, file)), { recursive: true });
      await writeFile(path.join(dir, file), text, { mode });
    };
    const connectionOf = ({ apiUrl, apiKey }: Fleet): string => JSON.stringify({ api_url: apiUrl, api_key: apiKey });
    await write(".dari-data/connection.json", connectionOf(here));
    await write("config/connection.json", connectionOf(there));
    const command = [process.execPath, ...dariCommand].map((word) => `'${word}'`).join(" ");
    await write("bin/dari", `#!/bin/sh\nexec ${command} "$@"\n`, 0o700);
    const searched = [path.join(dir, "bin"), path.dirname(process.execPath), machineEnvironment()["PATH"]];
    const page = await readFile(path.join(checkout, "docs/cluster.md"), "utf8");
    const [, block = ""] = /## 6\. Move sessions\n.*?```sh\n(.*?)```/s.exec(page) ?? [];
    const env = { PATH: searched.join(path.delimiter), DARI_CONFIG_DIR: path.join(dir, "config") };
    expect(await run("sh", ["-euc", block], { cwd: dir, env })).toMatchObject({ code: 0 });

    const { data: sessions } = await here.client.listSessions({ limit: 100 });
    expect(await readdir(path.join(dir, "moved"))).toHaveLength(sessions.length + 1);
    const { data: moved } = await there.client.listSessions({ agent_id: deployed });
    expect(moved.map(({ name }) => name).sort()).toEqual(["first", "second"]);
    for (const { id, name } of moved) {
      const turn = await playScript(there, id, [["read", "name.txt"]]);
      expect(resultsOf(turn)).toEqual([name]);
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}, 120_000);
