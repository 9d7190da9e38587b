// Many clients and workers at once, judged by notes outside the database: no message is lost, doubled, out of order or
// stuck, whichever process dies or freezes.

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
  readonly max_attempts: number;
  readonly steered_into: string | null;
  /** Attempts that lost their worker after the call. */
  readonly losses: number;
}

async function judge(book: Book): Promise<unknown[]> {
  const { rows } = await database.db.pool.query<MessageRow>(
    `select id, session_id, sequence_number, state, max_attempts, steered_into, (select count(*)::int from attempts a
      where a.message_id = m.id and a.outcome = 'lost' and a.called_at is not null) as losses from messages m`,
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
    const mayBeCalled = attemptsMax + Math.min(1, row?.losses ?? 0);
    if (called > mayBeCalled) faults.push(`${id} was called ${called} times`);
    // The loss that ends a cancelled message adds nothing.
    if (row?.state !== "cancelled" && row?.max_attempts !== mayBeCalled)
      faults.push(`${id} may have ${row?.max_attempts} attempts after ${row?.losses} lost workers`);
    // A lost worker told no one what it was handed, and its turn has not completed.
    const delivered = book.delivered.get(id) ?? [];
    const expected = row?.steered_into === null || row?.state !== "completed" ? [] : [row.steered_into];
    const isWrong = delivered.length > 1 || expected.join() !== (row?.state === "completed" ? delivered.join() : "");
    if (isWrong) faults.push(`${id} is part of ${expected.join()}, and was handed to ${delivered.join()}`);
    if (delivered.length > 0 && recorded.length > 0) faults.push(`${id} was delivered and ran`);
  }
  if (rows.length !== book.accepted.size) faults.push(`${rows.length} messages of ${book.accepted.size}`);
  return faults;
}

const outcomes = new Set<string>();
const seeds = [1, 2];

test.each(seeds)("nothing is lost, doubled, out of order or stuck (seed %i)", async (seed) => {
  const book = await runWorkload(database.db, { seed, sessions: 8, messagesEach: 25, workers: 6 });
  const stuck: unknown[] = [];
  for (const place of book.places) stuck.push(...(await faultsAfterDrain(place, database.db)));
  expect([...(await judge(book)), ...stuck]).toEqual([]);
  expect(book.accepted.size).toBeGreaterThan(150);
  expect(book.delivered.size).toBeGreaterThan(0);
  const { rows } = await database.db.pool.query<{ outcome: string }>("select distinct outcome from attempts");
  for (const { outcome } of rows) outcomes.add(outcome);
  // The run must have been hard; otherwise the test proves little. How many attempts of a message fail is random.
  expect([...outcomes]).toEqual(expect.arrayContaining(["cancelled", "completed", "lost", "released", "retry"]));
  if (seed === seeds.at(-1)) expect(outcomes).toContain("failed");
});
