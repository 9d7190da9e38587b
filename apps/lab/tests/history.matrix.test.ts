// Changes of a session's history with real turns: the next turn finds what a fork, a rollback, a promoted attempt and a
// client's write left.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { findService } from "@dari/testkit";
import { deploy } from "../src/conversation.ts";
import { noRemains, startFleet, type Fleet } from "../src/fleet.ts";
import { playScript, resultsOf, scriptAgent, type Step } from "../src/script.ts";

let fleet: Fleet;
let agentId: string;

beforeAll(async () => {
  fleet = await startFleet({ redisUrl: findService("redis")?.url });
  ({ agentId } = await deploy(fleet, scriptAgent()));
}, 120_000);

afterAll(async () => {
  expect(await fleet.close()).toEqual(noRemains);
}, 120_000);

async function newSession(): Promise<string> {
  return (await fleet.client.createSession(agentId)).id;
}

async function read(session: string, ...paths: string[]): Promise<unknown[]> {
  return resultsOf(
    await playScript(
      fleet,
      session,
      paths.map((path): Step => ["read", path]),
    ),
  );
}

test("a fork and its source are independent; a rollback restores files and conversation", async () => {
  const { client } = fleet;
  const session = await newSession();
  const first = await playScript(fleet, session, [["write", "a.txt", "one"]]);
  const second = await playScript(fleet, session, [
    ["write", "a.txt", "two"],
    ["write", "b.txt", "b"],
  ]);
  const fork = await client.forkSession(session, { message_id: first.id });
  await playScript(fleet, fork.id, [["append", "a.txt", " and more"]]);
  expect(await read(fork.id, "a.txt", "b.txt")).toEqual(["one and more", "no: ENOENT"]);
  expect(await read(session, "a.txt", "b.txt")).toEqual(["two", "b"]);
  await client.rollBackSession(session, { message_id: first.id });
  const back = await playScript(fleet, session, [["read", "a.txt"], ["read", "b.txt"], ["history"]]);
  const [a, b, history] = resultsOf(back);
  expect([a, b, JSON.stringify(history).includes("two")]).toEqual(["one", "no: ENOENT", false]);
  expect(await client.getMessageDiff(second.id)).toContain("-one\n\\ No newline at end of file\n+two");
});

test("a failed message is retried in a fork on another version, and its work can be promoted", async () => {
  const { client } = fleet;
  const session = await newSession();
  await playScript(fleet, session, [["write", "a.txt", "before"]]);
  const failed = await playScript(fleet, session, [
    ["write", "a.txt", "half done"],
    ["throw", "no more"],
  ]);
  expect(failed.status).toBe("failed");
  const { version } = await deploy(fleet, scriptAgent({ timeout_seconds: 30 }), agentId);
  const retried = await client.retryMessage(failed.id, { fork: true, version_id: version.id });
  expect((await client.waitForMessage(retried.id)).status).toBe("failed");
  expect((await client.getSession(retried.session_id)).version_id).toBe(version.id);
  expect(await read(session, "a.txt")).toEqual(["before"]);

  const other = await newSession();
  const lost = await playScript(fleet, other, [
    ["write", "kept.txt", "half done"],
    ["exit", 3],
  ]);
  const commit = await client.promoteAttempt(lost.id, 1);
  expect(commit.files_changed).toEqual([{ path: "/kept.txt", change: "created", size_bytes: 9 }]);
  await client.putSessionFile(other, "by a client", { path: "/mine.txt" });
  expect(await read(other, "kept.txt", "mine.txt")).toEqual(["half done", "by a client"]);
});
