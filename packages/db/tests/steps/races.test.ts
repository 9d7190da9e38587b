// The important races, one by one: the result of each side, and what is left when both have finished.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { idempotencyKeys, turns, type Database } from "../../src/index.ts";
import type { Ended } from "./connections.ts";
import { openEncounter, type Encounter } from "./encounter.ts";
import {
  accept,
  appendEvent,
  cancel,
  claim,
  dispatchOne,
  faultsAfterDrain,
  finish,
  markCalled,
  openPlace,
  pull,
  reap,
  renew,
  undispatch,
  type Place,
} from "./place.ts";

const eitherEnd: Ended[] = ["commit", "rollback"];

let encounter: Encounter;
let db: Database;
let place: Place;
beforeAll(async () => {
  encounter = await openEncounter();
  db = encounter.db;
});
beforeEach(async () => {
  place = await openPlace(db);
});
afterEach(async () => {
  expect(await faultsAfterDrain(place, db)).toEqual([]);
});
afterAll(async () => encounter[Symbol.asyncDispose]());

async function leased(messages: number, leaseMs = 60_000): Promise<void> {
  for (let i = 0; i < messages; i++) await accept(place, db);
  await dispatchOne(place, db);
  await claim(place, db, 1, leaseMs);
}

async function read<T>(column: string, table: string, where: string): Promise<T[]> {
  const { rows } = await db.pool.query<{ value: T }>(`select ${column} as value from ${table} where ${where}`, [
    place.sessionId,
  ]);
  return rows.map((row) => row.value);
}

const schedule = async (): Promise<string | undefined> => (await read<string>("schedule", "sessions", "id = $1"))[0];
const stateOfMessages = (): Promise<string[]> => read("state", "messages", "session_id = $1 order by sequence_number");

describe("two accepts", () => {
  test.each(eitherEnd)("the second waits and gets the number that is free, after a %s", async (ended) => {
    const { second, waited } = await encounter.meet(
      (at) => accept(place, at),
      ended,
      (at) => accept(place, at),
    );
    expect(waited).toBe(true);
    expect(second).toMatchObject({ outcome: "accepted", sequenceNumber: ended === "commit" ? 2 : 1 });
    const numbers = await read<number>("sequence_number", "messages", "session_id = $1 order by 1");
    expect(numbers).toEqual(ended === "commit" ? [1, 2] : [1]);
  });
});

describe("an accept and the finish of the session's last message", () => {
  test.each(eitherEnd)(
    "the accept finds the session idle after the finish's commit, else leased: %s",
    async (ended) => {
      await leased(1);
      const { second, waited } = await encounter.meet(
        (at) => finish(place, at, "completed"),
        ended,
        (at) => accept(place, at),
      );
      expect({ waited, schedule: second.schedule }).toEqual({
        waited: true,
        schedule: ended === "commit" ? "ready" : null,
      });
      expect(await schedule()).toBe(ended === "commit" ? "ready" : "leased");
    },
  );

  test.each(eitherEnd)("the finish does not let a session sleep that was just sent to: %s", async (ended) => {
    await leased(1);
    const { second, waited } = await encounter.meet(
      (at) => accept(place, at),
      ended,
      (at) => finish(place, at, "completed"),
    );
    expect({ waited, second }).toEqual({
      waited: true,
      second: { recorded: "completed", again: false, more: ended === "commit" },
    });
    expect(await schedule()).toBe(ended === "commit" ? "ready" : "idle");
  });
});

describe("a claim", () => {
  test("reads the head after the lock: a cancel that it waited for is seen", async () => {
    await accept(place, db);
    await accept(place, db);
    const { second, waited } = await encounter.meet(
      async (at) => {
        await cancel(place, at);
        await dispatchOne(place, at);
      },
      "commit",
      (at) => claim(place, at, 1),
    );
    expect(waited).toBe(true);
    expect(second).toMatchObject({ outcome: "claimed", message: "m2" });
    expect(await stateOfMessages()).toEqual(["cancelled", "running"]);
  });

  test.each(eitherEnd)("of two claims by the same job one gets the session: %s", async (ended) => {
    await accept(place, db);
    await dispatchOne(place, db);
    const { second } = await encounter.meet(
      (at) => claim(place, at, 1),
      ended,
      (at) => claim(place, at, 1),
    );
    expect(second.outcome).toBe(ended === "commit" ? "held" : "claimed");
  });

  test("by a job of an older dispatch is stale", async () => {
    await accept(place, db);
    await dispatchOne(place, db);
    await undispatch(place, db, 1);
    const { second } = await encounter.meet(
      (at) => dispatchOne(place, at),
      "commit",
      (at) => claim(place, at, 1),
    );
    expect(second).toEqual({ outcome: "stale" });
  });

  test("cancelled during the claim ends by the cancel, and is not lost", async () => {
    await accept(place, db);
    await dispatchOne(place, db);
    const { second, waited } = await encounter.meet(
      (at) => claim(place, at, 1),
      "commit",
      (at) => cancel(place, at),
    );
    expect({ second, waited }).toEqual({ second: "requested", waited: true });
    expect(await finish(place, db, "retry")).toMatchObject({ recorded: "cancelled" });
  });
});

describe("two dispatchers", () => {
  test.each(eitherEnd)("never both move a session: %s", async (ended) => {
    await accept(place, db);
    const { first, second, waited } = await encounter.meet(
      (at) => dispatchOne(place, at),
      ended,
      (at) => dispatchOne(place, at),
    );
    expect({ first: first.length, second, waited }).toEqual({ first: 1, second: [], waited: false });
    expect(await dispatchOne(place, db)).toHaveLength(ended === "commit" ? 0 : 1);
  });

  test("a process that releases its dispatch touches neither a claim nor a later dispatch", async () => {
    await accept(place, db);
    await dispatchOne(place, db);
    const { second } = await encounter.meet(
      (at) => claim(place, at, 1),
      "commit",
      (at) => undispatch(place, at, 1),
    );
    expect(second).toBe(0);
    expect(await schedule()).toBe("leased");
    await finish(place, db, "released");
    await dispatchOne(place, db);
    expect(await undispatch(place, db, 1)).toBe(0);
    expect(await schedule()).toBe("dispatched");
  });
});

describe("a claim that was lost", () => {
  /** Returns the worker's result if it writes while another one claims the session. */
  async function superseded<T>(write: (lost: Place, at: Database) => Promise<T>): Promise<T> {
    await leased(1, 0);
    await markCalled(place, db);
    const lost = { ...place };
    await reap(place, db);
    await dispatchOne(place, db);
    const heir = await encounter.meet(
      (at) => claim(place, at, 2),
      "commit",
      (at) => write(lost, at),
    );
    return heir.second;
  }

  test("finishes nothing", async () => {
    expect(await superseded((lost, at) => finish(lost, at, "completed"))).toBe("superseded");
    expect(await stateOfMessages()).toEqual(["running"]);
  });

  test("finishes nothing, not even with the heir's fence", async () => {
    const forged = (lost: Place, at: Database) => {
      if (lost.turn !== undefined) lost.turn = { ...lost.turn, fence: lost.turn.fence + 1 };
      return finish(lost, at, "completed");
    };
    expect(await superseded(forged)).toBe("superseded");
  });

  test("renews nothing: the heir's lease stays as it was", async () => {
    const until = () => read<Date>("lease_until", "sessions", "id = $1");
    expect(await superseded(renew)).toBe("lost");
    const before = await until();
    const forged = { ...place, turn: place.turn && { ...place.turn, token: "00000000-0000-4000-8000-000000000000" } };
    expect(await renew(forged, db)).toBe("lost");
    expect(await until()).toEqual(before);
  });

  test("counts no attempt", async () => {
    expect(await superseded(markCalled)).toBe(false);
    expect(await read("attempts", "messages", "session_id = $1")).toEqual([1]);
  });

  test("writes no event", async () => {
    expect(await superseded(appendEvent)).toBe(false);
    expect(await read("type", "events", "session_id = $1 and type = 'agent.event'")).toEqual([]);
  });

  test.each(eitherEnd)("waits for the reaper that has it in hand: %s", async (ended) => {
    await leased(1, 0);
    const { second, waited } = await encounter.meet(
      (at) => reap(place, at),
      ended,
      (at) => finish(place, at, "completed"),
    );
    expect({ waited, second }).toEqual({
      waited: true,
      second: ended === "commit" ? "superseded" : { recorded: "completed", again: false, more: false },
    });
  });

  test("that renews while the reaper looks is not reaped", async () => {
    await leased(1, 0);
    const { second, waited } = await encounter.meet(
      (at) => renew(place, at),
      "commit",
      (at) => reap(place, at),
    );
    expect({ second, waited }).toEqual({ second: [], waited: false });
    expect(await reap(place, db)).toEqual([]);
    expect(await finish(place, db, "completed")).toMatchObject({ recorded: "completed" });
  });
});

describe("endings", () => {
  test("a repeated finish waits for its first call and answers the same", async () => {
    await leased(1);
    const { second, waited } = await encounter.meet(
      (at) => finish(place, at, "completed"),
      "commit",
      (at) => finish(place, at, "failed"),
    );
    expect({ waited, second }).toMatchObject({ waited: true, second: { recorded: "completed", again: true } });
  });

  test("a retry waits its time, for its job, for a pull, and for the reaper", async () => {
    await leased(1);
    await markCalled(place, db);
    await finish(place, db, "retry", 3_600_000);
    expect(await claim(place, db, 1)).toEqual({ outcome: "early" });
    expect(await pull(place, db)).toBeUndefined();
    expect(await reap(place, db)).toEqual([]);
    expect(await dispatchOne(place, db)).toEqual([]);
  });

  test("a call is counted once, however often it is reported", async () => {
    await leased(1);
    await encounter.meet(
      (at) => markCalled(place, at),
      "commit",
      (at) => markCalled(place, at),
    );
    await finish(place, db, "retry");
    expect(await read("attempts", "messages", "session_id = $1")).toEqual([1]);
  });

  test("a call that the reaper waited for counts", async () => {
    await leased(1, 0);
    await encounter.meet(
      (at) => markCalled(place, at),
      "commit",
      (at) => reap(place, at),
    );
    expect(await read("attempts", "messages", "session_id = $1")).toEqual([1]);
  });

  test("a rollback that the finish waited for takes effect", async () => {
    await leased(1);
    const { second } = await encounter.meet(
      (at) => accept(place, at, { onBusy: "rollback" }),
      "commit",
      (at) => finish(place, at, "completed"),
    );
    expect(second).toMatchObject({ recorded: "cancelled", more: true });
    expect(await stateOfMessages()).toEqual(["cancelled", "queued"]);
  });

  test("a cancel that the finish waited for ends a retry", async () => {
    await leased(1);
    const { second } = await encounter.meet(
      (at) => cancel(place, at),
      "commit",
      (at) => finish(place, at, "retry"),
    );
    expect(second).toMatchObject({ recorded: "cancelled" });
  });

  test("a cancel that arrives after the end changes nothing", async () => {
    await leased(1);
    const { second, waited } = await encounter.meet(
      (at) => finish(place, at, "completed"),
      "commit",
      (at) => cancel(place, at),
    );
    expect({ second, waited }).toEqual({ second: "terminal", waited: true });
  });
});

describe("a session that rejects while busy", () => {
  test.each(eitherEnd)("waits for the sender: %s", async (ended) => {
    const { second, waited } = await encounter.meet(
      (at) => accept(place, at),
      ended,
      (at) => accept(place, at, { onBusy: "reject" }),
    );
    expect({ waited, outcome: second.outcome }).toEqual({
      waited: true,
      outcome: ended === "commit" ? "busy" : "accepted",
    });
  });
});

describe("an idempotency key", () => {
  test.each(eitherEnd)("is taken once; the second caller waits to learn the result: %s", async (ended) => {
    const { organizationId } = place;
    const scope = { organizationId, method: "POST", path: "/v1/sessions", key: ended };
    const take = async (at: Database) => {
      const isNew = await idempotencyKeys.insertIdempotencyKeyIfNew(at, scope, { fingerprint: "f", status: 201 });
      if (isNew) await idempotencyKeys.setIdempotencyKeyResource(at, scope, place.sessionId);
      return isNew;
    };
    const { first, second, waited } = await encounter.meet(take, ended, take);
    expect({ first, second, waited }).toEqual({ first: true, second: ended === "rollback", waited: true });
  });
});

test("leases of one worker are renewed together, past locked ones, and only its own", async () => {
  await leased(1);
  const other = await openPlace(db);
  await accept(other, db);
  await dispatchOne(other, db);
  await claim(other, db, 1);
  const claims = [place.turn!, other.turn!];
  const renew = (at: Database): Promise<turns.RenewedLease[]> => turns.renewHeldLeases(at, claims, 60_000);
  const answer = (turn: turns.ClaimedTurn, isRenewed: boolean): turns.RenewedLease => ({
    sessionId: turn.sessionId,
    fence: turn.fence,
    isRenewed,
    cancelRequested: false,
    steeringWaits: false,
  });
  const { second, waited } = await encounter.meet((at) => finish(other, at, "completed"), "commit", renew);
  expect(waited).toBe(false);
  expect(second).toEqual([answer(claims[0]!, true), answer(claims[1]!, false)]);
  expect(await renew(db)).toEqual([answer(claims[0]!, true)]);
});
