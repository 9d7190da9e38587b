// Which secrets a turn gets: the organization's, or the session's own, which come first; and where it may send them.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { randomBytes } from "node:crypto";
import { createSealer } from "@dari/control/tenants";
import { newId, Redacted } from "@dari/domain";
import { createTestAgent, createTestDatabase } from "@dari/testkit";
import { createTestOrganization, createTestSession } from "@dari/testkit";
import type { TestDatabase } from "@dari/testkit";
import { decryptSecrets } from "../../src/tenants/secrets/decrypt-secrets.ts";

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

test("a session's own secrets are separate from credentials, and are used for no other session", async () => {
  const { db } = database;
  const [mine, other] = [
    await createTestSession(db, organizationId, agentId),
    await createTestSession(db, organizationId, agentId),
  ];
  const hosts = ["api.example.com"];
  for (const name of ["SHARED", "KEY", "GUESSED"]) {
    await db.kysely
      .insertInto("credentials")
      .values({
        id: newId("credential"),
        organization_id: organizationId,
        name,
        sealed: seal(name, `our ${name}`),
        hosts: name === "SHARED" ? null : hosts,
      })
      .execute();
  }
  const own = { session_id: mine, organization_id: organizationId };
  await db.kysely
    .insertInto("session_secrets")
    .values([
      { ...own, name: "KEY", sealed: seal("KEY", "my KEY") },
      { ...own, name: "GUESSED", sealed: seal("GUESSED", "our GUESSED") },
    ])
    .execute();
  const open = (sessionId: string): ReturnType<typeof decryptSecrets> =>
    decryptSecrets({ db, sealer }, organizationId, sessionId, ["SHARED", "KEY", "MISSING"]);
  const [ofMine, ofOther] = [await open(mine), await open(other)];
  expect(Object.fromEntries(ofMine.values)).toEqual({ SHARED: "our SHARED", KEY: "my KEY" });
  expect([...ofMine.ofSession]).toEqual(["KEY"]);
  expect(Object.fromEntries(ofOther.values)).toEqual({ SHARED: "our SHARED", KEY: "our KEY" });
  expect([...ofOther.ofSession]).toEqual([]);
  // A session's secret in place of a credential is handled like the credential.
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
  await db.kysely
    .updateTable("credentials")
    .set({ hosts: [...hosts, "b.example"] })
    .where("name", "=", "KEY")
    .execute();
  expect((await open(other)).kept[0]!.placeholder).not.toBe(ofOther.kept[0]!.placeholder);
  // A placeholder does not show a session whether it has guessed the credential's value.
  const guessed = async (sessionId: string): Promise<string> =>
    (await decryptSecrets({ db, sealer }, organizationId, sessionId, ["GUESSED"])).kept[0]!.placeholder;
  expect(await guessed(mine)).not.toBe(await guessed(other));
});
