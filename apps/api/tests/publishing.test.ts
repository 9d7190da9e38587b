// Publishing: from a bundle's reservation to an agent with a version that waits to be built.

import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import { routes, validate } from "@dari/contract";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startTestApi, type TestApi } from "./api-fixture.ts";
import { agentBundle, asBundle, bundleOf, manifestText } from "./bundle.ts";
import { bring, finalize, reserve, upload } from "./publish.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(async () => api[Symbol.asyncDispose]());

describe("a bundle", () => {
  test("is reserved, uploaded without a key, and ready", async () => {
    const bundle = agentBundle();
    const created = await api.call("POST", "/v1/source-snapshots", {
      body: {
        format: "tar.gz",
        sha256: bundle.sha256,
        size_bytes: bundle.bytes.length,
        metadata: { origin: "local_cli", git_dirty: true },
      },
    });
    expect(created.status).toBe(201);
    expect(validate(routes.createSourceSnapshot.reply, created.json)).toEqual([]);
    expect(created.json["upload_url"]).toMatch(new RegExp(`^${api.url}/v1/source-snapshots/src_`));
    const reserved = {
      id: String(created.json["source_snapshot_id"]),
      uploadUrl: String(created.json["upload_url"]),
    };

    const uploaded = await upload(api, reserved, bundle.bytes);
    expect([uploaded.status, uploaded.json]).toEqual([200, expect.objectContaining({ status: "pending_upload" })]);
    const verdict = await finalize(api, reserved.id);
    expect([verdict.status, verdict.json]).toEqual([
      200,
      { source_snapshot_id: reserved.id, status: "ready", failure_reason: null },
    ]);
    expect((await finalize(api, reserved.id)).json).toEqual(verdict.json);
    expect((await upload(api, reserved, bundle.bytes)).status).toBe(409);
  });

  test("that was not uploaded, is cut short, or has other bytes, fails with the reason", async () => {
    const bundle = agentBundle();
    const absent = await reserve(api, bundle);
    expect((await finalize(api, absent.id)).json).toMatchObject({
      status: "failed",
      failure_reason: "no bundle was uploaded",
    });

    const short = await reserve(api, bundle);
    expect((await upload(api, short, bundle.bytes.subarray(1))).status).toBe(200);
    expect((await finalize(api, short.id)).json["failure_reason"]).toMatch(/announced/);

    const other = await reserve(api, bundle);
    expect((await upload(api, other, randomBytes(bundle.bytes.length))).status).toBe(200);
    expect((await finalize(api, other.id)).json["failure_reason"]).toMatch(/SHA-256/);
  });

  test("larger than announced is refused and leaves nothing", async () => {
    const bundle = agentBundle();
    const reserved = await reserve(api, bundle);
    const before = await objects();
    const reply = await upload(api, reserved, Buffer.concat([bundle.bytes, randomBytes(3_000_000)]));
    expect([reply.status, reply.json.code]).toEqual([413, "too_large"]);
    expect(await objects()).toEqual(before);
    expect((await upload(api, reserved, bundle.bytes)).status).toBe(200);
    expect((await finalize(api, reserved.id)).json["status"]).toBe("ready");
  });

  test("can be uploaded again until it is finalized; only the last upload counts and is kept", async () => {
    const bundle = agentBundle();
    const reserved = await reserve(api, bundle);
    const before = (await objects()).length;
    await upload(api, reserved, randomBytes(bundle.bytes.length));
    await upload(api, reserved, bundle.bytes);
    expect((await objects()).length).toBe(before + 1);
    expect((await finalize(api, reserved.id)).json["status"]).toBe("ready");
  });

  test("needs the very URL that was given", async () => {
    const [one, two] = [await reserve(api, agentBundle()), await reserve(api, agentBundle())];
    const signed = new URL(one.uploadUrl);
    const forged = [
      one.uploadUrl.replace(one.id, two.id),
      `${signed.origin}${signed.pathname}?expires=9999999999&signature=${signed.searchParams.get("signature")}`,
      `${signed.origin}${signed.pathname}?expires=${signed.searchParams.get("expires")}&signature=AAAA`,
    ];
    for (const uploadUrl of forged) {
      const reply = await upload(api, { id: one.id, uploadUrl }, agentBundle().bytes);
      expect([reply.status, reply.json.code]).toEqual([403, "forbidden"]);
    }
    const bare = await api.call("PUT", `${signed.origin}${signed.pathname}`, { key: null, body: Buffer.from("x") });
    expect(bare.status).toBe(422);
  });

  test("is judged once, however many finalize it at the same time", async () => {
    const bundle = agentBundle();
    const reserved = await reserve(api, bundle);
    await upload(api, reserved, bundle.bytes);
    const verdicts = await Promise.all(Array.from({ length: 6 }, () => finalize(api, reserved.id)));
    for (const verdict of verdicts) expect(verdict.json).toMatchObject({ status: "ready" });
    const said = api.log.filter((line) => line.fields["source_snapshot"] === reserved.id);
    expect(said.map((line) => line.event)).toEqual(["source snapshot ready"]);
  });

  test("is deleted unless a version uses it", async () => {
    const unused = await bring(api, agentBundle());
    expect((await api.call("DELETE", `/v1/source-snapshots/${unused.id}`)).json).toEqual({
      deleted: true,
      id: unused.id,
    });
    expect((await api.call("DELETE", `/v1/source-snapshots/${unused.id}`)).status).toBe(404);
    const used = await bring(api, agentBundle());
    await api.call("POST", "/v1/agents", { body: { source_snapshot_id: used.id } });
    const refused = await api.call("DELETE", `/v1/source-snapshots/${used.id}`);
    expect([refused.status, refused.json.code]).toEqual([409, "conflict"]);
  });
});

describe("a hostile bundle", () => {
  const manifest = { name: "dari.yml", body: manifestText };
  const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
  test.each([
    ["an absolute path", bundleOf([manifest, { name: "/etc/passwd", body: "x" }])],
    ["a path that climbs", bundleOf([manifest, { name: "a/../../b", body: "x" }])],
    ["a symlink", bundleOf([manifest, { name: "link", type: "2", link: "/etc/passwd" }])],
    ["a hard link", bundleOf([manifest, { name: "link", type: "1", link: "dari.yml" }])],
    ["a device", bundleOf([manifest, { name: "null", type: "3" }])],
    ["a name twice", bundleOf([manifest, manifest])],
    ["no manifest", bundleOf([{ name: "agent.js", body: "x" }])],
    ["no archive", asBundle(Buffer.from("not a gzip stream"))],
    ["a bomb", asBundle(bomb)],
  ])("with %s fails with a reason and creates no agent", async (_what, bundle) => {
    const { id, verdict } = await bring(api, bundle);
    expect(verdict.status).toBe(200);
    expect(verdict.json).toMatchObject({ status: "failed", failure_reason: expect.stringMatching(/\w+/) });
    const refused = await api.call("POST", "/v1/agents", { body: { source_snapshot_id: id } });
    expect([refused.status, refused.json.code]).toEqual([409, "conflict"]);
    expect(refused.json.detail).toContain(verdict.json["failure_reason"]);
  });
});

describe("an agent", () => {
  test("is created from a ready bundle, under both names", async () => {
    const { id } = await bring(api, agentBundle(manifestText.replace("support-agent", "first-agent")));
    const created = await api.call("POST", "/v1/agents", { body: { source_snapshot_id: id } });
    expect(created.status).toBe(201);
    expect(validate(routes.createAgent.reply, created.json)).toEqual([]);
    const agentId = String(created.json["id"]);
    const deploymentId = String(created.json["deployment_id"]);
    expect(deploymentId).toBe(agentId.replace("agt_", "dep_"));
    expect(created.json).toMatchObject({
      agent_id: agentId,
      name: "first-agent",
      active_version_id: null,
      version_status: "building",
    });

    for (const name of [agentId, deploymentId]) {
      expect((await api.call("GET", `/v1/agents/${name}`)).json).toMatchObject({
        id: agentId,
        deployment_id: deploymentId,
      });
      expect((await api.call("GET", `/v1/deployments/${name}`)).json).toMatchObject({
        id: deploymentId,
        agent_id: agentId,
      });
    }
    const versionPath = `/v1/agents/${agentId}/versions/${String(created.json["version_id"])}`;
    const version = await api.call("GET", versionPath);
    expect(validate(routes.getVersion.reply, version.json)).toEqual([]);
    expect(version.json).toMatchObject({ number: 1, status: "building", active: false, runtime: null });
    expect(version.json["manifest"]).toMatchObject({ runtime: { language: "typescript", timeout_seconds: 1800 } });
  });

  test("accepts the other form of the request, a name of its own, and a manifest that agrees", async () => {
    const { id } = await bring(api, agentBundle());
    const manifest = { name: "support-agent", sdk: "opencode", entrypoint: "src/agent.js:agent" };
    const body = { name: "  mine ", manifest, source: { type: "upload", source_snapshot_id: id } };
    const created = await api.call("POST", "/v1/deployments", { body });
    expect([created.status, created.json["name"]]).toEqual([201, "mine"]);
    expect(created.json["id"]).toBe(created.json["deployment_id"]);

    const next = await api.call("POST", `/v1/agents/${String(created.json["agent_id"])}/versions`, {
      body: { source_snapshot_id: id },
    });
    expect(next.status).toBe(201);
    expect(validate(routes.createVersion.reply, next.json)).toEqual([]);
    const versions = await api.call("GET", `/v1/deployments/${String(created.json["id"])}/versions?limit=1`);
    expect(versions.json).toMatchObject({ has_more: true, next: next.json["version_id"], data: [{ number: 2 }] });
    const rest = await api.call(
      "GET",
      `/v1/agents/${String(created.json["agent_id"])}/versions?after=${String(versions.json["next"])}`,
    );
    expect(rest.json).toMatchObject({ has_more: false, next: null, versions: [{ number: 1 }] });
  });

  test("is refused with every problem of its dari.yml, in the manifest's own words", async () => {
    const { id, verdict } = await bring(
      api,
      agentBundle("sdk: nope\nentrypoint: agent.py\nruntime:\n  timeout_seconds: 0\n"),
    );
    expect(verdict.json["status"]).toBe("ready");
    const reply = await api.call("POST", "/v1/agents", { body: { source_snapshot_id: id } });
    expect(reply.status).toBe(422);
    expect(reply.json.detail).toMatch(/^Manifest validation failed for dari\.yml:\n- /);
    expect(reply.json.detail).toContain("- runtime.timeout_seconds: expected a positive integer");
    expect(reply.json["errors"]).toEqual(
      expect.arrayContaining([
        { path: "name", message: "field is required" },
        { path: "runtime.timeout_seconds", message: "expected a positive integer" },
      ]),
    );
  });

  test("is refused when it asks for more than the installation allows", async () => {
    const { id } = await bring(
      api,
      agentBundle("name: big\nentrypoint: src/agent.js:agent\nruntime: {memory: 8GiB, cpus: 4}\n"),
    );
    const create = () => api.call("POST", "/v1/agents", { body: { source_snapshot_id: id } });
    Object.assign(api.control, { turnBounds: { memoryMaxBytes: 4 * 1024 ** 3, cpusMax: 2 } });
    const refused = await create();
    expect(refused).toMatchObject({ status: 422, json: { code: "invalid" } });
    const advice = "; ask for less, or ask an operator to raise";
    expect(refused.json["errors"]).toEqual([
      {
        path: "runtime.memory",
        message: `8GiB is more than this installation allows (4 GiB)${advice} DARI_TURN_MEMORY_MAX_BYTES`,
      },
      { path: "runtime.cpus", message: `4 is more than this installation allows (2)${advice} DARI_TURN_CPUS_MAX` },
    ]);
    Object.assign(api.control, { turnBounds: { memoryMaxBytes: 8 * 1024 ** 3, cpusMax: 4 } });
    expect((await create()).status).toBe(201);
    Object.assign(api.control, { turnBounds: undefined });
  });

  test("is refused when it asks for more than its organization may have", async () => {
    const manifest = "name: large\nentrypoint: src/agent.js:agent\nruntime: {memory: 2GiB, cpus: 1.5}\n";
    const { id } = await bring(api, agentBundle(manifest));
    const create = () => api.call("POST", "/v1/agents", { body: { source_snapshot_id: id } });
    const setLimits = async (body: object) => {
      const path = `/v1/organizations/${api.org.organizationId}`;
      expect((await api.call("PATCH", path, { key: api.operator.apiKey, body })).json).toMatchObject(body);
    };
    await setLimits({ max_turn_memory_bytes: 1024 ** 3, max_turn_cpus: 0.5 });
    const refused = await create();
    expect(refused).toMatchObject({ status: 422, json: { code: "invalid" } });
    const saying = (amounts: string, limit: string): string =>
      `${amounts}; ask for less, or ask an operator to raise ${limit} (dari org limits set)`;
    const memory = "2GiB is more than this organization allows (1 GiB)";
    const cpus = "1.5 is more than this organization allows (0.5)";
    expect(refused.json["errors"]).toEqual([
      { path: "runtime.memory", message: saying(memory, "max_turn_memory_bytes") },
      { path: "runtime.cpus", message: saying(cpus, "max_turn_cpus") },
    ]);
    Object.assign(api.control, { turnBounds: { memoryMaxBytes: 512 * 1024 ** 2, cpusMax: 1 } });
    expect((await create()).json["errors"]).toMatchObject([
      { message: expect.stringContaining("this installation allows (512 MiB)") },
      { message: expect.stringContaining("this organization allows (0.5)") },
    ]);
    Object.assign(api.control, { turnBounds: undefined });
    await setLimits({ max_turn_memory_bytes: null, max_turn_cpus: null });
    expect((await create()).status).toBe(201);
  });

  test("is refused when the manifest sent along differs, naming the fields", async () => {
    const { id } = await bring(api, agentBundle());
    const manifest = { name: "other", sdk: "opencode", entrypoint: "src/agent.js:agent", env: { A: "1" } };
    const reply = await api.call("POST", "/v1/agents", { body: { source_snapshot_id: id, manifest } });
    expect(reply.status).toBe(422);
    expect((reply.json["errors"] as { path: string }[]).map((issue) => issue.path)).toEqual([
      "manifest.env.A",
      "manifest.name",
    ]);
  });

  test("is not created from a bundle that is pending, or another organization's", async () => {
    const pending = await reserve(api, agentBundle());
    const early = await api.call("POST", "/v1/agents", { body: { source_snapshot_id: pending.id } });
    expect(early.status).toBe(409);
    const { id } = await bring(api, agentBundle());
    const foreign = await api.call("POST", "/v1/agents", {
      key: api.stranger.apiKey,
      body: { source_snapshot_id: id },
    });
    expect(foreign.status).toBe(404);
  });

  test("is listed newest first in pages, refuses unknown cursors, and is not found once deleted", async () => {
    const { id } = await bring(api, agentBundle());
    const made: string[] = [];
    for (let i = 0; i < 3; i++) {
      const reply = await api.call("POST", "/v1/agents", { body: { source_snapshot_id: id, name: `page-${i}` } });
      made.unshift(String(reply.json["id"]));
    }
    const first = await api.call("GET", "/v1/agents?limit=2");
    expect(validate(routes.listAgents.reply, first.json)).toEqual([]);
    const firstIds = (first.json["agents"] as { id: string }[]).map((agent) => agent.id);
    expect(first.json["data"]).toEqual(first.json["agents"]);
    const second = await api.call("GET", `/v1/agents?limit=1&after=${String(first.json["next"])}`);
    const secondIds = (second.json["agents"] as { id: string }[]).map((agent) => agent.id);
    expect([...firstIds, ...secondIds].sort()).toEqual([...made].sort());

    for (const query of [
      "after=agt_01jx5m0k8c3f7q2v9t4w6y8z1a",
      "after=x",
      "limit=0",
      "limit=501",
      "limit=1&limit=2",
    ]) {
      expect([query, (await api.call("GET", `/v1/agents?${query}`)).status]).toEqual([query, 422]);
    }
    const foreign = await api.call("GET", `/v1/agents?after=${String(made[0])}`, { key: api.stranger.apiKey });
    expect(foreign.status).toBe(422);

    expect((await api.call("DELETE", `/v1/agents/${made[0]}`)).json).toEqual({ deleted: true, id: made[0] });
    expect((await api.call("GET", `/v1/agents/${made[0]}`)).status).toBe(404);
    expect((await api.call("POST", `/v1/agents/${made[0]}/sessions`)).status).toBe(404);
    expect(
      (await api.call("POST", `/v1/agents/${made[0]}/versions`, { body: { source_snapshot_id: id } })).status,
    ).toBe(404);
  });
});

async function objects(): Promise<string[]> {
  return (await api.objects()).sort();
}
