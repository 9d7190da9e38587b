// A pooler between the platform and PostgreSQL that drops what connections ask for at their beginning.

import { once } from "node:events";
import net, { type AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createTestDatabase, createTestOrganization, type TestDatabase } from "@dari/testkit";
import { sql } from "kysely";
import pg from "pg";
import { getRowSecurityState, openDatabase, withTransaction, type Database } from "../src/index.ts";

let database: TestDatabase;
let pooler: net.Server;
let db: Database;
let organizationId: string;
beforeAll(async () => {
  database = await createTestDatabase();
  ({ organizationId } = await createTestOrganization(database.db));
  const url = new URL(database.url);
  const owner = new pg.Client({ connectionString: database.url });
  await owner.connect();
  await owner.query(`alter database "${url.pathname.slice(1)}" set search_path = dari`);
  await owner.end();
  const server = { host: url.hostname, port: Number(url.port) };
  pooler = net.createServer((client) => passOn(client, net.connect(server)));
  pooler.listen(0, "127.0.0.1");
  await once(pooler, "listening");
  Object.assign(url, { hostname: "127.0.0.1", port: `${(pooler.address() as AddressInfo).port}` });
  db = openDatabase({ url: url.href, poolMax: 1, tenants: 1, role: "dari_app", applicationName: "dari-test" });
});
afterAll(async () => {
  await db.close();
  pooler.close();
  await database.close();
});

/** The first message is a length, a version, and names and values, each ended by a zero. */
function passOn(client: net.Socket, server: net.Socket): void {
  client.once("data", (first) => {
    const texts = first.subarray(8).toString("latin1").split("\0").slice(0, -2);
    const kept = texts.filter((_, index) => texts[index - (index % 2)] !== "options");
    const body = Buffer.from(`${kept.join("\0")}\0\0`, "latin1");
    const head = Buffer.from(first.subarray(0, 8));
    head.writeUInt32BE(8 + body.length);
    server.write(Buffer.concat([head, body]));
    client.pipe(server).pipe(client);
  });
  for (const socket of [client, server]) socket.on("error", () => undefined);
}

test("no call is answered through it, and the error tells the operator what to do", async () => {
  const inside = db.forOrganization(organizationId);
  for (let use = 0; use < 2; use += 1) {
    await expect(sql`select id from agents`.execute(inside.kysely)).rejects.toThrow(/and not as dari_tenant/);
    await expect(withTransaction(inside, async () => "done")).rejects.toThrow(/and not as dari_tenant/);
  }
  const state = await getRowSecurityState(db);
  expect(state.isEnabled).toBe(false);
  expect([null, "dari_tenant"]).not.toContain(state.runsAs);
});

test("with the role, calls are answered through one connection, in and out of transactions", async () => {
  const { url } = database;
  const direct = openDatabase({ url, poolMax: 1, tenants: 1, role: "dari_app", applicationName: "dari-test" });
  try {
    const inside = direct.forOrganization(organizationId);
    const seen = await withTransaction(inside, (tx) => sql`select id from organizations`.execute(tx));
    expect(seen.rows).toEqual([{ id: organizationId }]);
    expect((await sql`select id from organizations`.execute(inside.kysely)).rows).toEqual(seen.rows);
    expect(await getRowSecurityState(direct)).toMatchObject({ isEnabled: true, runsAs: "dari_tenant" });
  } finally {
    await direct.close();
  }
});
