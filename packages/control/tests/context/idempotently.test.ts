// One creation per key if its calls meet; notifications only after the commit.

import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { withIdempotencyKey, type Actor, type Control, type KeyedCall } from "@dari/control/context";
import { apiKeys } from "@dari/db";
import { AppError, newId } from "@dari/domain";
import { createTestDatabase, createTestOrganization, waitUntil, type TestDatabase } from "@dari/testkit";
import type { IdempotentResult } from "../../src/context/idempotency/with-idempotency-key.ts";
import { inOneTransaction } from "../../src/context/in-one-transaction.ts";

let database: TestDatabase;
let actor: Actor;
let said: string[];
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.close());
beforeEach(async () => {
  const { organizationId, keyId } = await createTestOrganization(database.db);
  actor = { organizationId, keyId, scopes: [] };
  said = [];
});

const silent = (): void => undefined;

/** Returns a `Control` that records its notifications. */
function control(): Control {
  const parts: Pick<Control, "db" | "notifier" | "delivery" | "log"> = {
    db: database.db,
    notifier: {
      notify: (topic, id) => void said.push(`${topic} ${id}`),
      subscribe: () => silent,
      close: () => Promise.resolve(),
    },
    delivery: { available: true, deliver: async (turns) => void said.push(`${turns.length} turns`) },
    log: { debug: silent, info: silent, warn: silent, error: silent },
  };
  return parts as Control;
}

function keyedCall(fingerprint = "f"): KeyedCall {
  return { method: "POST", path: "/v1/api-keys", key: "k", fingerprint, status: 201 };
}

/** A creation: a row and a notification. */
async function make(inside: Control): Promise<{ resourceId: string }> {
  const id = newId("apiKey");
  const secretHash = Buffer.from(id);
  await apiKeys.insertApiKey(inside.db, {
    id,
    organizationId: actor.organizationId,
    label: "made",
    secretHash,
    scopes: [],
  });
  inside.notifier.notify("session", id);
  return { resourceId: id };
}

async function count(): Promise<number> {
  const { rows } = await database.db.pool.query<{ n: number }>(
    "select count(*)::int as n from api_keys where organization_id = $1 and label = 'made'",
    [actor.organizationId],
  );
  return rows[0]?.n ?? -1;
}

/** Runs `first` up to its end, then `second` until it waits for it, then continues the first. */
async function meet(end: () => void, fingerprint?: string) {
  const reached = Promise.withResolvers<void>();
  const mayEnd = Promise.withResolvers<void>();
  const first = withIdempotencyKey(control(), actor, keyedCall(), async (inside) => {
    const made = await make(inside);
    reached.resolve();
    await mayEnd.promise;
    end();
    return made;
  });
  await reached.promise;
  const second = withIdempotencyKey(control(), actor, keyedCall(fingerprint), make);
  await waitUntil(
    async () => {
      const { rows } = await database.db.pool.query<{ waits: boolean }>(
        "select exists (select from pg_locks l join pg_stat_activity a using (pid) " +
          "where not l.granted and a.datname = current_database()) as waits",
      );
      return rows[0]?.waits;
    },
    { what: "the second call to wait for the first" },
  );
  mayEnd.resolve();
  return Promise.allSettled([first, second] as const);
}

type Made = IdempotentResult<{ resourceId: string }>;

test("a call that meets an equal one waits for its end, and returns its result", async () => {
  const [first, second] = await meet(silent);
  const made = first.status === "fulfilled" && !first.value.replayed ? first.value.made.resourceId : "nothing";
  const replay: Made = { replayed: true, resourceId: made, status: 201 };
  expect(second).toEqual({ status: "fulfilled", value: replay });
  expect(await count()).toBe(1);
});

test("a planned id is the resource's only if the work used it", async () => {
  const call = (key: string): KeyedCall => ({ ...keyedCall(), key, plannedId: "key_planned" });
  for (const resourceId of ["key_planned", "key_other"]) {
    await withIdempotencyKey(control(), actor, call(resourceId), () => Promise.resolve({ resourceId }));
    const again = await withIdempotencyKey(control(), actor, call(resourceId), make);
    expect(again).toEqual({ replayed: true, resourceId, status: 201 });
  }
});

test("a call that meets an equal one that is refused does the work itself", async () => {
  const refusal = new AppError("conflict", "not now");
  const [first, second] = await meet(() => {
    throw refusal;
  });
  expect(first).toEqual({ status: "rejected", reason: refusal });
  expect(second).toMatchObject({ status: "fulfilled", value: { replayed: false } });
  expect(await count()).toBe(1);
});

test("a call that meets another body under its key is refused once that one is committed", async () => {
  const [first, second] = await meet(silent, "another");
  expect(first.status).toBe("fulfilled");
  expect(second).toMatchObject({ status: "rejected", reason: { code: "idempotency_key_reused" } });
  expect(await count()).toBe(1);
});

test("word goes out after the commit, turns last", async () => {
  await inOneTransaction(control(), async (inside) => {
    await make(inside);
    const turn = { organizationId: "", sessionId: "", messageId: "", dispatchNumber: 1, attemptsLeft: 1 };
    await inside.delivery.deliver([turn]);
    expect(await count()).toBe(0);
    expect(said).toEqual([]);
  });
  expect(await count()).toBe(1);
  expect(said).toEqual([expect.stringMatching(/^session key_/), "1 turns"]);
});

test("no notification is sent for what was not committed", async () => {
  const failing = inOneTransaction(control(), async (inside) => {
    await make(inside);
    throw new Error("on second thoughts");
  });
  await expect(failing).rejects.toThrow("on second thoughts");
  expect([await count(), said]).toEqual([0, []]);
});
