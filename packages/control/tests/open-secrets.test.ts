// Whose the secrets of a turn are: the organization's, or the session's own, which win.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { randomBytes } from "node:crypto";
import { newId, Redacted } from "@dari/domain";
import { createTestAgent, createTestDatabase, createTestOrganization, createTestSession } from "@dari/testkit";
import type { TestDatabase } from "@dari/testkit";
import { createSealer } from "../src/sealer.ts";
import { openSecrets } from "../src/secrets/open-secrets.ts";

const sealer = createSealer(new Redacted(randomBytes(32)));
let database: TestDatabase;
let organizationId: string;
let agentId: string;
beforeAll(async () => {
  database = await createTestDatabase();
  ({ organizationId } = await createTestOrganization(database.db));
  ({ agentId } = await createTestAgent(database.db, organizationId));
});
afterAll(() => database.close());

const seal = (name: string, value: string): Buffer => sealer.seal(value, { organizationId, name });

test("a session's own secrets are told apart from credentials, and are nobody else's", async () => {
  const { db } = database;
  const [mine, other] = [
    await createTestSession(db, organizationId, agentId),
    await createTestSession(db, organizationId, agentId),
  ];
  const hosts = ["api.example.com"];
  for (const name of ["SHARED", "KEY"]) {
    await db.kysely
      .insertInto("credentials")
      .values({
        id: newId("credential"),
        organization_id: organizationId,
        name,
        sealed: seal(name, `our ${name}`),
        hosts: name === "KEY" ? hosts : null,
      })
      .execute();
  }
  await db.kysely
    .insertInto("session_secrets")
    .values({ session_id: mine, organization_id: organizationId, name: "KEY", sealed: seal("KEY", "my KEY") })
    .execute();
  const open = (sessionId: string): ReturnType<typeof openSecrets> =>
    openSecrets({ db, sealer }, organizationId, sessionId, ["SHARED", "KEY", "MISSING"]);
  const [ofMine, ofOther] = [await open(mine), await open(other)];
  expect(Object.fromEntries(ofMine.values)).toEqual({ SHARED: "our SHARED", KEY: "my KEY" });
  expect([...ofMine.ofSession]).toEqual(["KEY"]);
  expect(Object.fromEntries(ofOther.values)).toEqual({ SHARED: "our SHARED", KEY: "our KEY" });
  expect([...ofOther.ofSession]).toEqual([]);
  // What a session brings in place of a credential is kept as that is.
  for (const [{ kept }, value] of [
    [ofMine, "my KEY"],
    [ofOther, "our KEY"],
  ] as const) {
    expect(kept).toMatchObject([
      { name: "KEY", hosts, placeholder: expect.stringMatching(/^dari_placeholder_\w{64}$/) },
    ]);
    expect(kept[0]!.value.reveal()).toBe(value);
  }
  expect(ofOther.kept[0]!.placeholder).not.toBe(ofMine.kept[0]!.placeholder);
  expect((await open(mine)).kept[0]!.placeholder).toBe(ofMine.kept[0]!.placeholder);
});
