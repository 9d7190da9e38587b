// Calls are granted without asking Postgres for each, and never more than the limit.

import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import type { Actor, RateLimiter } from "@dari/control/context";
import { createRateLimiter } from "@dari/control/tenants";
import { createTestDatabase, createTestOrganization, waitUntil, type TestDatabase } from "@dari/testkit";
import type { Database } from "@dari/db";

let database: TestDatabase;
let actor: Actor;
beforeAll(async () => {
  database = await createTestDatabase();
});
beforeEach(async () => {
  actor = await createActor();
});
afterAll(() => database.close());

async function createActor(): Promise<Actor> {
  const { organizationId, keyId } = await createTestOrganization(database.db);
  return { organizationId, keyId, scopes: [] };
}

function limiterOf(requests: number | undefined, db: Database = database.db): RateLimiter {
  return createRateLimiter(db, { requests, messages: undefined, upload_bytes: undefined });
}

/** A database that counts its statements. */
function counted(): { db: Database; statements: () => number } {
  let count = 0;
  const kysely = database.db.kysely.withPlugin({
    transformQuery({ node }) {
      count++;
      return node;
    },
    transformResult: ({ result }) => Promise.resolve(result),
  });
  return { db: { ...database.db, kysely }, statements: () => count };
}

/** Returns how many of `calls` are granted to `clients` that use the limiters in turn. */
async function grantedOf(calls: number, limiters: readonly RateLimiter[], clients = 16): Promise<number> {
  let granted = 0;
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < calls) {
      const { granted: isGranted } = await limiters[next++ % limiters.length]!.take(actor, "requests", 1);
      if (isGranted) granted++;
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return granted;
}

async function used(keyId = ""): Promise<number> {
  const { rows } = await database.db.pool.query<{ used: string }>(
    "select used from rate_windows where organization_id = $1 and key_id = $2",
    [actor.organizationId, keyId],
  );
  return Number(rows[0]?.used);
}

test("far from the limit, one statement reserves for the following calls; exactly the limit passes", async () => {
  const { db, statements } = counted();
  const limiters = [limiterOf(20_000, db), limiterOf(20_000, db)];
  expect(await grantedOf(10_000, limiters)).toBe(10_000);
  expect(statements()).toBeLessThan(1_000);
  expect(await grantedOf(15_000, limiters)).toBe(10_000);
  expect(await used()).toBe(20_000);
});

test("a key's own limit is as exact", async () => {
  const keyed: Actor = {
    ...actor,
    rates: { maxRequestsPerMinute: 1_000, maxMessagesPerMinute: null, maxUploadBytesPerHour: null },
  };
  actor = keyed;
  expect(await grantedOf(1_500, [limiterOf(20_000), limiterOf(undefined)])).toBe(1_000);
  expect(await used(keyed.keyId)).toBe(1_000);
});

test("from 256 left on, each call is counted when it arrives", async () => {
  const { db, statements } = counted();
  const limiter = limiterOf(256, db);
  for (let call = 1; call <= 3; call++) {
    const { standings } = await limiter.take(actor, "requests", 1);
    expect(standings).toMatchObject([{ of: "organization", remaining: 256 - call }]);
    expect([statements(), await used()]).toEqual([call, call]);
  }
});

test("the remaining number is reported as if each call were counted when it arrives", async () => {
  const limiter = limiterOf(2_561);
  for (let call = 1; call <= 30; call++) {
    const { standings } = await limiter.take(actor, "requests", 1);
    expect(standings).toMatchObject([{ quota: 2_561, remaining: 2_561 - call, resetSeconds: 60 }]);
  }
});

test("a reservation of one window is not used in the next", async () => {
  const [idle, busy] = [limiterOf(2_561), limiterOf(2_561)];
  await limiterOf(2_561).take(actor, "requests", 1);
  await database.db.pool.query("update rate_windows set started_at = started_at - interval '59 seconds'");
  await idle.take(actor, "requests", 1);
  expect(await used()).toBe(21);
  const hasBegun = async (): Promise<boolean> => {
    await busy.take(actor, "requests", 1);
    return (await used()) === 11;
  };
  await waitUntil(hasBegun, { what: "the next window" });
  expect(await grantedOf(5_000, [idle, busy])).toBe(2_560);
});

test("a lowered limit applies within a second", async () => {
  const limiter = limiterOf(300_000);
  expect((await limiter.take(actor, "requests", 1)).granted).toBe(true);
  await database.db.pool.query("update organizations set max_requests_per_minute = 1 where id = $1", [
    actor.organizationId,
  ]);
  const isRefused = async (): Promise<boolean> => !(await limiter.take(actor, "requests", 1)).granted;
  await waitUntil(isRefused, { what: "the new bound", timeoutMs: 3_000 });
});

test("a key without limits is looked up once a second", async () => {
  const { db, statements } = counted();
  const limiter = limiterOf(undefined, db);
  expect(await grantedOf(500, [limiter], 1)).toBe(500);
  expect(statements()).toBeLessThan(50);
  expect(await limiter.take(actor, "requests", 1)).toEqual({ granted: true, standings: [] });
});

test("a statement that does not end delays only its own callers", async () => {
  const { organizationId } = actor;
  const limiter = limiterOf(1);
  await limiter.take(actor, "requests", 1);
  const other = limiterOf(1_000);
  const client = await database.db.pool.connect();
  try {
    await client.query("begin");
    await client.query("select 1 from rate_windows where organization_id = $1 for update", [organizationId]);
    const held = other.take(actor, "requests", 1);
    actor = await createActor();
    expect((await other.take(actor, "requests", 1)).granted).toBe(true);
    await client.query("commit");
    expect((await held).granted).toBe(true);
  } finally {
    client.release();
  }
});
