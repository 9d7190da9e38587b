// Reading uploaded bundles: the manifest before it is published, and the files of a version.

import { routes, validate } from "@dari/contract";
import { finishTestBuild, waitUntil } from "@dari/testkit";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startTestApi, type TestApi } from "./api-fixture.ts";
import { agentBundle, bundleOf, manifestText } from "./bundle.ts";
import { bring, reserve } from "./publish.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(async () => api[Symbol.asyncDispose]());

describe("the manifest of a source snapshot", () => {
  const manifestOf = (id: string) => api.call("GET", `/v1/source-snapshots/${id}/manifest`);

  test("is what a version of it would have, with its warnings", async () => {
    const { id } = await bring(api, agentBundle(`${manifestText}secrets: [A_KEY]\n`));
    const reply = await manifestOf(id);
    expect([reply.status, validate(routes.getSourceSnapshotManifest.reply, reply.json)]).toEqual([200, []]);
    expect(reply.json).toMatchObject({
      source_snapshot_id: id,
      manifest: { name: "support-agent", sdk: "opencode", secrets: ["A_KEY"] },
      warnings: [expect.stringContaining("A_KEY has no value")],
    });
  });

  test("that is not valid is refused with every issue, and one that is not ready with what to do", async () => {
    const { id } = await bring(api, agentBundle("name: x\nsdk: unknown\n"));
    const invalid = await manifestOf(id);
    expect([invalid.status, invalid.json.code]).toEqual([422, "invalid"]);
    expect(invalid.json["errors"]).toContainEqual({ path: "entrypoint", message: "field is required" });
    const pending = await manifestOf((await reserve(api, agentBundle())).id);
    expect([pending.status, pending.json.detail]).toEqual([409, expect.stringContaining("finalize it first")]);
  });
});

describe("the bundle of a version", () => {
  const members = [
    { name: "dari.yml", body: manifestText },
    { name: "src/agent.js", body: "export const agent = () => 'grüezi';\n" },
    { name: "logo.png", body: "\u0000\u0001" },
    { name: "notes.txt", body: "x".repeat(1024 * 1024 + 1) },
  ];
  let versions: string;
  let version: string;
  let sha256: string;
  let sizeBytes: number;
  beforeAll(async () => {
    const bundle = bundleOf(members);
    const { id } = await bring(api, bundle);
    const created = await api.call("POST", "/v1/agents", { body: { source_snapshot_id: id } });
    versions = `/v1/agents/${String(created.json["id"])}/versions`;
    version = String(created.json["version_id"]);
    [sha256, sizeBytes] = [bundle.sha256, bundle.bytes.length];
  });

  test("is listed, and its text files are read", async () => {
    const listed = await api.call("GET", `${versions}/${version}/bundle`);
    expect([listed.status, validate(routes.getVersionBundle.reply, listed.json)]).toEqual([200, []]);
    expect(listed.json).toMatchObject({
      version_id: version,
      archive_sha256: sha256,
      size_bytes: sizeBytes,
      files: [
        { path: "dari.yml", size_bytes: manifestText.length, is_executable: false },
        { path: "logo.png", size_bytes: 2, is_executable: false },
        { path: "notes.txt", size_bytes: 1024 * 1024 + 1, is_executable: false },
        { path: "src/agent.js", size_bytes: Buffer.byteLength(members[1]!.body), is_executable: false },
      ],
    });
    for (const path of ["src/agent.js", "/src/agent.js", "./src/agent.js"]) {
      const file = await read(path);
      expect([file.status, validate(routes.getVersionBundleFile.reply, file.json)]).toEqual([200, []]);
      expect(file.json).toMatchObject({ path: "src/agent.js", content: members[1]!.body });
    }
  });

  test("refuses files that do not exist, are not text, or are too large", async () => {
    const missing = await read("src");
    expect([missing.status, missing.json.detail]).toEqual([404, "file src not found"]);
    const binary = await read("logo.png");
    expect([binary.status, binary.json.detail]).toEqual([422, expect.stringContaining("is not UTF-8 text")]);
    const large = await read("notes.txt");
    expect([large.status, large.json.detail]).toEqual([422, expect.stringContaining("1,048,577 bytes")]);
    expect((await api.call("GET", `${versions}/${version}/bundle/file`)).status).toBe(422);
  });

  test("can be read by two concurrent calls of an organization; a third gets 429", async () => {
    const { get } = api.control.blobs;
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    let reading = 0;
    Object.assign(api.control.blobs, {
      get: async (...asked: Parameters<typeof get>) => {
        reading += 1;
        await released;
        return get.apply(api.control.blobs, asked);
      },
    });
    try {
      const held = [api.call("GET", `${versions}/${version}/bundle`), read("src/agent.js")];
      await waitUntil(() => reading === held.length, { what: "both calls to read the bundle" });
      const refused = read("dari.yml");
      void refused.then(() => release());
      const { status, json, headers } = await refused;
      expect([status, json.code, headers.get("retry-after")]).toEqual([429, "limit_exceeded", "2"]);
      expect((await Promise.all(held)).map((reply) => reply.status)).toEqual([200, 200]);
    } finally {
      release();
      Object.assign(api.control.blobs, { get });
    }
    expect((await read("dari.yml")).status).toBe(200);
  });

  test.each([
    ["missing", undefined],
    ["another archive", bundleOf([{ name: "dari.yml", body: "name: other\n" }]).bytes],
  ])("whose stored archive is %s is reported as damaged, and the log names the object", async (_what, bytes) => {
    const { rows } = await api.db.pool.query<{ key: string }>(
      "select object_key as key from source_snapshots where sha256 = $1",
      [sha256],
    );
    const key = rows[0]!.key;
    const stored = await api.control.blobs.read(key);
    await api.control.blobs.delete([key]);
    if (bytes !== undefined) await api.control.blobs.put(key, bytes);
    for (const reply of [await api.call("GET", `${versions}/${version}/bundle`), await read("dari.yml")]) {
      expect([reply.status, reply.json.code]).toEqual([500, "snapshot_damaged"]);
      const logged = api.log.filter(({ event }) => event === "snapshot.damaged");
      expect(logged.at(-1)?.fields).toMatchObject({ object_key: key, org: api.org.organizationId });
    }
    await api.control.blobs.delete([key]);
    await api.control.blobs.put(key, stored);
  });

  test("says in the list of versions which one is active and which archive each has", async () => {
    await finishTestBuild(api.db, version, "ready");
    const listed = await api.call("GET", versions);
    expect(validate(routes.listVersions.reply, listed.json)).toEqual([]);
    expect(listed.json).toMatchObject({
      agent: { id: expect.stringMatching(/^agt_/), active_version_id: version },
      versions: [{ id: version, is_active: true, archive_sha256: sha256, size_bytes: sizeBytes }],
    });
    const one = await api.call("GET", `${versions}/${version}`);
    expect(one.json).toMatchObject({ is_active: true, archive_sha256: sha256, size_bytes: sizeBytes });
  });

  const read = (path: string) =>
    api.call("GET", `${versions}/${version}/bundle/file?${new URLSearchParams({ path }).toString()}`);
});

describe("the sessions of an agent", () => {
  test("are a list of their own, by status and by name", async () => {
    const made = await Promise.all([publish(), publish()]);
    const [own, other] = [made[0]!, made[1]!];
    const start = (agent: string, name?: string) =>
      api.call("POST", `/v1/agents/${agent}/sessions`, { body: { name } });
    const first = await start(own, "triage");
    const second = await start(own);
    await start(other, "triage");
    const listed = await api.call("GET", `/v1/agents/${own}/sessions`);
    expect([listed.status, validate(routes.listAgentSessions.reply, listed.json)]).toEqual([200, []]);
    expect(ids(listed.json["sessions"])).toEqual([second.json["id"], first.json["id"]]);
    const deployment = own.replace("agt_", "dep_");
    const named = await api.call("GET", `/v1/deployments/${deployment}/sessions?name=triage&status=idle`);
    expect(ids(named.json["sessions"])).toEqual([first.json["id"]]);
    expect(ids((await api.call("GET", "/v1/sessions?name=triage")).json["sessions"])).toHaveLength(2);
    expect((await api.call("GET", `/v1/agents/${own}/sessions`, { key: api.stranger.apiKey })).status).toBe(404);
  });

  const ids = (rows: unknown): unknown[] => (rows as { id: string }[]).map(({ id }) => id);
  const publish = async (): Promise<string> => {
    const { id } = await bring(api, agentBundle());
    return String((await api.call("POST", "/v1/agents", { body: { source_snapshot_id: id } })).json["id"]);
  };
});
