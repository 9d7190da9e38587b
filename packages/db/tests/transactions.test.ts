// A database bound to a transaction: everything joins it, and all or nothing stays.

import { createTestDatabase, createTestOrganization, type TestDatabase } from "@dari/testkit";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { withinTransaction, credentials, withTransaction } from "../src/index.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.close());

test("a query that needs a transaction joins the one that it is bound to", async () => {
  const { db } = database;
  const { organizationId } = await createTestOrganization(db);
  const put = (to: typeof db, name: string) =>
    credentials.putCredentialIfBelow(to, { id: `cred_${name}`, organizationId, name, sealed: Buffer.from("x") }, 10);
  const undone = withTransaction(db, async (tx) => {
    await put(withinTransaction(db, tx), "A");
    throw new Error("on second thoughts");
  });
  await expect(undone).rejects.toThrow("on second thoughts");
  await withTransaction(db, async (tx) => void (await put(withinTransaction(db, tx), "B")));
  const listed = await credentials.listCredentials(db, organizationId, { limit: 10, after: undefined });
  expect(listed?.rows.map((row) => row.name)).toEqual(["B"]);
});
