// Which version is active: the newest built one, an older one by request, and never an older one automatically.

import { builds } from "@dari/db";
import { createTestAgent, createTestVersion, finishTestBuild } from "@dari/testkit";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";
import { agentBundle } from "./bundle.ts";
import { bring } from "./publish.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(async () => api[Symbol.asyncDispose]());

async function publish(agentId: string): Promise<string> {
  return (await createTestVersion(api.db, api.org.organizationId, agentId, { state: "building" })).versionId;
}

async function activeOf(agentId: string): Promise<unknown> {
  return (await api.call("GET", `/v1/agents/${agentId}`)).json["active_version_id"];
}

function activate(agentId: string, versionId: string): Promise<TestReply> {
  return api.call("POST", `/v1/agents/${agentId}/activate`, { body: { version_id: versionId } });
}

test("builds that finish out of order leave the newest version active", async () => {
  const { agentId, versionId: first } = await createTestAgent(api.db, api.org.organizationId);
  const [second, third] = [await publish(agentId), await publish(agentId)];
  expect(await activeOf(agentId)).toBe(first);
  await finishTestBuild(api.db, third, "ready");
  expect(await activeOf(agentId)).toBe(third);
  await finishTestBuild(api.db, second, "ready");
  expect(await activeOf(agentId)).toBe(third);
});

test("builds that finish at the same time leave the newest version active", async () => {
  for (let round = 0; round < 5; round++) {
    const { agentId } = await createTestAgent(api.db, api.org.organizationId);
    const versions = [await publish(agentId), await publish(agentId), await publish(agentId)];
    await Promise.all(versions.map((version) => finishTestBuild(api.db, version, "ready")));
    expect(await activeOf(agentId)).toBe(versions[2]);
  }
});

test("a version that was published with activate: false becomes active only by request", async () => {
  const { agentId, versionId: first } = await createTestAgent(api.db, api.org.organizationId);
  const { id } = await bring(api, agentBundle());
  const body = { source_snapshot_id: id, activate: false };
  const published = await api.call("POST", `/v1/agents/${agentId}/versions`, { body });
  const versionId = String(published.json["version_id"]);
  await finishTestBuild(api.db, versionId, "ready");
  expect(await activeOf(agentId)).toBe(first);
  const session = await api.call("POST", `/v1/agents/${agentId}/sessions`, { body: { version_id: versionId } });
  expect([session.status, session.json["version_id"]]).toEqual([201, versionId]);
  await activate(agentId, versionId);
  expect(await activeOf(agentId)).toBe(versionId);
});

test("a failed build leaves the former version active and cannot be activated", async () => {
  const { agentId, versionId } = await createTestAgent(api.db, api.org.organizationId);
  const next = await publish(agentId);
  await finishTestBuild(api.db, next, "failed");
  expect(await activeOf(agentId)).toBe(versionId);
  expect((await activate(agentId, next)).status).toBe(409);
  const shown = await api.call("GET", `/v1/agents/${agentId}/versions/${next}`);
  expect(shown.json).toMatchObject({ status: "failed", failure: { code: "build_failed" }, active: false });
});

test("after going back, only a version that is published later activates itself", async () => {
  const { agentId, versionId: first } = await createTestAgent(api.db, api.org.organizationId);
  const second = await publish(agentId);
  await finishTestBuild(api.db, second, "ready");
  const third = await publish(agentId);
  const reply = await activate(agentId, first);
  expect([reply.status, reply.json["active_version_id"]]).toEqual([200, first]);
  await finishTestBuild(api.db, third, "ready");
  expect(await activeOf(agentId)).toBe(first);
  const fourth = await publish(agentId);
  await finishTestBuild(api.db, fourth, "ready");
  expect(await activeOf(agentId)).toBe(fourth);
});

test("a build that ends while someone goes back gives one of the two orders, never a third state", async () => {
  for (let round = 0; round < 8; round++) {
    const { agentId, versionId: first } = await createTestAgent(api.db, api.org.organizationId);
    const second = await publish(agentId);
    const [reply] = await Promise.all([activate(agentId, first), finishTestBuild(api.db, second, "ready")]);
    expect(reply.status).toBe(200);
    expect(await activeOf(agentId)).toBe(first);
  }
});

test("two concurrent activations both succeed, and one of them is active", async () => {
  const { agentId, versionId: first } = await createTestAgent(api.db, api.org.organizationId);
  const second = (await createTestVersion(api.db, api.org.organizationId, agentId)).versionId;
  const replies = await Promise.all([activate(agentId, first), activate(agentId, second)]);
  expect(replies.map((reply) => reply.status)).toEqual([200, 200]);
  expect([first, second]).toContain(await activeOf(agentId));
});

test("versions published at the same time get numbers of their own", async () => {
  const { agentId } = await createTestAgent(api.db, api.org.organizationId);
  const made = await Promise.all(
    Array.from({ length: 8 }, () => createTestVersion(api.db, api.org.organizationId, agentId, { state: "building" })),
  );
  expect(made.map((version) => version.number).sort((a, b) => a - b)).toEqual([2, 3, 4, 5, 6, 7, 8, 9]);
});

test("only a ready version of that very agent is activated", async () => {
  const { agentId } = await createTestAgent(api.db, api.org.organizationId);
  const other = await createTestAgent(api.db, api.org.organizationId);
  const foreign = await createTestAgent(api.db, api.stranger.organizationId);
  expect((await activate(agentId, await publish(agentId))).status).toBe(409);
  expect((await activate(agentId, other.versionId)).status).toBe(404);
  expect((await activate(agentId, foreign.versionId)).status).toBe(404);
});

test("a session pins the active version, a ready one by request, or the newest that builds", async () => {
  const { organizationId } = api.org;
  const { agentId, versionId: first } = await createTestAgent(api.db, organizationId);
  const start = (body: unknown) => api.call("POST", `/v1/agents/${agentId}/sessions`, { body });
  const building = await publish(agentId);
  expect((await start({})).json["version_id"]).toBe(first);
  expect((await start({ version_id: building })).status).toBe(409);
  await finishTestBuild(api.db, building, "ready");
  expect((await start({})).json["version_id"]).toBe(building);
  expect((await start({ version_id: first })).json["version_id"]).toBe(first);
  const foreign = await createTestAgent(api.db, api.stranger.organizationId);
  expect((await start({ version_id: foreign.versionId })).status).toBe(409);

  const fresh = await createTestAgent(api.db, organizationId, { state: "building" });
  const newest = await publish(fresh.agentId);
  const waiting = await api.call("POST", `/v1/agents/${fresh.agentId}/sessions`);
  expect(waiting.json["version_id"]).toBe(newest);
  const sent = await api.call("POST", `/v1/sessions/${String(waiting.json["id"])}/messages/async`, {
    body: { parts: [{ type: "text", text: "hi" }] },
  });
  expect([sent.status, sent.json["status"], sent.json["waiting_reason"]]).toEqual([202, "queued", "build"]);

  const failed = await createTestAgent(api.db, organizationId, { state: "failed" });
  expect((await api.call("POST", `/v1/agents/${failed.agentId}/sessions`)).status).toBe(409);
});

test("build logs are plain text, and follow until the build ends", async () => {
  const { organizationId } = api.org;
  const { agentId, versionId } = await createTestAgent(api.db, organizationId, { state: "building" });
  const claim = { versionId, fence: 0 };
  await builds.appendBuildLogIfHeld(api.db, claim, "installing\n");
  const now = await api.call("GET", `/v1/versions/${versionId}/build-logs`);
  expect([now.headers.get("content-type"), now.text]).toEqual(["text/plain; charset=utf-8", "installing\n"]);

  const followed = await fetch(`${api.url}/v1/versions/${versionId}/build-logs?follow=1`, {
    headers: { authorization: `Bearer ${api.org.apiKey}` },
  });
  await builds.appendBuildLogIfHeld(api.db, claim, "done\n");
  await finishTestBuild(api.db, versionId, "ready");
  api.control.notifier.notify("build", versionId);
  expect(await followed.text()).toBe("installing\ndone\n");
  expect(await activeOf(agentId)).toBe(versionId);
});
