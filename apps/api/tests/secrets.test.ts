// Secrets: a change of the master key, and a version without its secrets.

import { randomBytes } from "node:crypto";
import { expect, test } from "@jest/globals";
import { createSealer } from "@dari/control/tenants";
import { Redacted } from "@dari/domain";
import { createTestAgent, createTestSession } from "@dari/testkit";
import { startTestApi } from "./api-fixture.ts";
import { agentBundle, manifestText } from "./bundle.ts";
import { bring } from "./publish.ts";

test("an operator seals everything under the new key in steps, and what no key opens is named", async () => {
  await using api = await startTestApi();
  const { organizationId } = api.org;
  const key = api.operator.apiKey;
  const [first, second] = [new Redacted(randomBytes(32)), new Redacted(randomBytes(32))];
  const lost = createSealer(new Redacted(randomBytes(32)));
  Object.assign(api.control, { sealer: createSealer(first) });
  const put = (name: string, value: string) =>
    api.call("PUT", `/v1/organizations/current/credentials/${name}`, { body: { value } });
  for (let n = 0; n < 5; n += 1) await put(`KEY_${n}`, `value-${n}`);
  Object.assign(api.control, { sealer: lost });
  await put("LOST", "never-shown");
  Object.assign(api.control, { sealer: createSealer(first) });
  const agent = await createTestAgent(api.db, organizationId);
  const sessionId = await createTestSession(api.db, organizationId, agent.agentId);
  for (const name of ["A", "B"]) {
    const sealed = createSealer(first).seal(`of-session-${name}`, { organizationId, name });
    await api.db.pool.query(
      "insert into session_secrets (session_id, organization_id, name, sealed) values ($1, $2, $3, $4)",
      [sessionId, organizationId, name, sealed],
    );
  }

  Object.assign(api.control, { sealer: createSealer(second, [first]) });
  let [resealed, calls] = [0, 0];
  const unopened: { name: string; reason: string }[] = [];
  for (let after: string | null | undefined; after !== null; calls += 1) {
    const reply = await api.call("POST", "/v1/operator/reseal", {
      key,
      body: { limit: 2, ...(after ? { after } : {}) },
    });
    expect(reply.status).toBe(200);
    expect(reply.text).not.toContain("never-shown");
    const step = reply.json as { resealed: number; unopened: typeof unopened; next: string | null; key_id: string };
    expect(step.key_id).toBe(api.control.sealer.keyId);
    resealed += step.resealed;
    unopened.push(...step.unopened);
    after = step.next;
  }
  expect([resealed, calls]).toEqual([7, 5]);
  expect(unopened).toEqual([expect.objectContaining({ name: "LOST", reason: expect.stringContaining(lost.keyId) })]);
  const { rows } = await api.db.pool.query(
    "select name, sealed from credentials union all select name, sealed from session_secrets",
  );
  const only = createSealer(second);
  const opened = rows
    .filter(({ name }) => name !== "LOST")
    .map(({ name, sealed }) => only.open(sealed as Buffer, { organizationId, name: String(name) }));
  expect(opened.sort()).toEqual([
    "of-session-A",
    "of-session-B",
    "value-0",
    "value-1",
    "value-2",
    "value-3",
    "value-4",
  ]);
  const again = await api.call("POST", "/v1/operator/reseal", { key });
  expect(again.json).toMatchObject({ resealed: 0, unopened: [{ name: "LOST" }], next: null });
});

test("a key that is not an operator's reseals nothing", async () => {
  await using api = await startTestApi();
  expect((await api.call("POST", "/v1/operator/reseal")).status).toBe(403);
});

test("a version that names secrets without a value is published with a warning for each", async () => {
  await using api = await startTestApi();
  await api.call("PUT", "/v1/organizations/current/credentials/SET", { body: { value: "x" } });
  const { id } = await bring(api, agentBundle(`${manifestText}secrets: [SET, UNSET]\n`));
  const made = await api.call("POST", "/v1/agents", { body: { source_snapshot_id: id } });
  const { agent_id, version_id, warnings } = made.json as { agent_id: string; version_id: string; warnings: string[] };
  expect(warnings).toEqual([expect.stringMatching(/^secret UNSET has no value: .*missing_secret/)]);
  const version = await api.call("GET", `/v1/agents/${agent_id}/versions/${version_id}`);
  expect(version.json["warnings"]).toEqual(warnings);
});
