// Everybody at once, judged by a book that is kept outside the database: no message lost, doubled, out of its order or
// stuck, whoever dies or freezes.

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "@dari/testkit";
import { faultsAfterDrain } from "./place.ts";
import { runWorkload, type Book } from "./workload.ts";

const attemptsMax = 3;

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase({ poolMax: 24 });
});
afterEach(() => database.close());

interface MessageRow {
  readonly id: string;
  readonly session_id: string;
  readonly sequence_number: number;
  readonly state: string;
}

async function judge(book: Book): Promise<unknown[]> {
  const { rows } = await database.db.pool.query<MessageRow>(
    "select id, session_id, sequence_number, state from messages",
  );
  const byId = new Map(rows.map((row) => [row.id, row]));
  const faults: unknown[] = [...book.faults];
  for (const [id, { sessionId, sequenceNumber }] of book.accepted) {
    const row = byId.get(id);
    if (row?.session_id !== sessionId || row.sequence_number !== sequenceNumber) faults.push(`${id} is lost`);
    const recorded = book.recorded.get(id) ?? [];
    if (recorded.length > 1) faults.push(`${id} ended ${recorded.length} times`);
    if (recorded.some((ending) => ending !== row?.state)) faults.push(`${id}: ${recorded.join()} became ${row?.state}`);
    const called = book.called.get(id) ?? 0;
    if (called > attemptsMax) faults.push(`${id} was called ${called} times`);
  }
  if (rows.length !== book.accepted.size) faults.push(`${rows.length} messages of ${book.accepted.size}`);
  return faults;
}

test.each([1, 2])("nothing is lost, doubled, out of order or stuck (seed %i)", async (seed) => {
  const book = await runWorkload(database.db, { seed, sessions: 8, messagesEach: 25, workers: 6 });
  const stuck: unknown[] = [];
  for (const place of book.places) stuck.push(...(await faultsAfterDrain(place, database.db)));
  expect([...(await judge(book)), ...stuck]).toEqual([]);
  expect(book.accepted.size).toBeGreaterThan(150);
  // It was a hard life: otherwise the test shows little.
  const { rows } = await database.db.pool.query<{ outcome: string; n: number }>(
    "select outcome, count(*)::int as n from attempts group by 1",
  );
  const outcomes = rows.map((row) => row.outcome).sort();
  expect(outcomes).toEqual(["cancelled", "completed", "failed", "lost", "released", "retry"]);
});
