// A process that dies inside a step: its connection is ended just before it writes one table, for each table. The step
// must leave all or nothing, and repeating it must do it once.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Database } from "../../src/index.ts";
import { connect, observed, waitsFor } from "./connections.ts";
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
  raiseLimit,
  reachLimit,
  reap,
  recordAnswer,
  recordStep,
  renew,
  stateOf,
  type Place,
} from "./place.ts";

let encounter: Encounter;
let db: Database;
beforeAll(async () => {
  encounter = await openEncounter();
  db = encounter.db;
  await encounter.owner.run(gates);
  await encounter.owner.run(`select pg_advisory_lock(${gateLock})`);
});
afterAll(async () => encounter[Symbol.asyncDispose]());

const tables = [
  ...(["sessions", "messages", "attempts", "events", "snapshots"] as const),
  ...(["message_steps", "recorded_answers", "message_inputs"] as const),
];
type Table = (typeof tables)[number];

const gateLock = 4_711;
/** A connection with dari.gate set to a table's name waits before it writes to that table. */
const gates = `
  create function wait_at_gate() returns trigger language plpgsql as $$
  begin
    if current_setting('dari.gate', true) = tg_table_name then
      perform pg_advisory_xact_lock_shared(${gateLock});
    end if;
    return new;
  end $$;
  ${tables
    .map(
      (table) =>
        `create trigger gate before insert or update on ${table} for each row execute function wait_at_gate();`,
    )
    .join("\n")}`;

interface MortalStep {
  readonly name: string;
  prepare(place: Place): Promise<void>;
  run(place: Place, at: Database): Promise<unknown>;
  readonly writes: readonly Table[];
  /** Its result if it is repeated, or runs for the first time. */
  readonly answer: unknown;
}

async function dispatched(place: Place): Promise<void> {
  await accept(place, db);
  await dispatchOne(place, db);
}

async function leased(place: Place): Promise<void> {
  await dispatched(place);
  await claim(place, db, 1, 0);
}

async function atLimit(place: Place): Promise<void> {
  await leased(place);
  await reachLimit(place, db);
}

const steps: readonly MortalStep[] = [
  {
    name: "accept",
    prepare: () => Promise.resolve(),
    async run(place, at) {
      // Identified by its number: a message that was not accepted leaves none.
      const { outcome, sequenceNumber, schedule } = await accept({ ...place, messageIds: [] }, at);
      return { outcome, sequenceNumber, schedule };
    },
    writes: ["messages", "events", "sessions"],
    answer: { outcome: "accepted", sequenceNumber: 1, schedule: "ready" },
  },
  {
    name: "accept that rolls back",
    prepare: leased,
    async run(place, at) {
      const { outcome, stopping } = await accept(place, at, { onBusy: "rollback" });
      return { outcome, stopping };
    },
    writes: ["messages", "events", "sessions"],
    answer: { outcome: "accepted", stopping: "m1" },
  },
  {
    name: "dispatch",
    prepare: async (place) => void (await accept(place, db)),
    run: dispatchOne,
    writes: ["sessions"],
    answer: [{ dispatchNumber: 1, message: "m1", attemptsLeft: 3 }],
  },
  {
    name: "claim",
    prepare: dispatched,
    run: (place, at) => claim(place, at, 1),
    writes: ["sessions", "messages", "attempts", "events"],
    answer: { outcome: "claimed", message: "m1", fence: 1, attemptNumber: 1, uncountedClaims: 0 },
  },
  {
    name: "mark called",
    prepare: leased,
    run: markCalled,
    writes: ["attempts"],
    answer: true,
  },
  { name: "event", prepare: leased, run: appendEvent, writes: ["events", "sessions"], answer: true },
  {
    name: "recorded step",
    prepare: leased,
    run: recordStep,
    writes: ["messages", "message_steps"],
    answer: true,
  },
  {
    name: "recorded answer",
    prepare: leased,
    run: recordAnswer,
    writes: ["messages", "recorded_answers"],
    answer: "stored",
  },
  { name: "renew", prepare: leased, run: renew, writes: ["sessions"], answer: "renewed" },
  {
    name: "finish as completed",
    prepare: leased,
    run: (place, at) => finish(place, at, "completed"),
    writes: ["snapshots", "attempts", "events", "messages", "sessions"],
    answer: { recorded: "completed", again: false, more: false },
  },
  {
    name: "finish as retry",
    prepare: leased,
    run: (place, at) => finish(place, at, "retry"),
    writes: ["attempts", "events", "messages", "sessions"],
    answer: { recorded: "retry", again: false, more: true },
  },
  {
    name: "finish at a limit",
    prepare: leased,
    run: reachLimit,
    writes: ["snapshots", "message_inputs", "attempts", "events", "messages", "sessions"],
    answer: { recorded: "suspended", again: false, more: true },
  },
  {
    name: "raise of a limit",
    prepare: atLimit,
    run: raiseLimit,
    writes: ["message_inputs", "messages", "events", "sessions"],
    answer: { outcome: "answered", schedule: "ready" },
  },
  {
    name: "refusal to raise a limit",
    prepare: atLimit,
    run: (place, at) => raiseLimit(place, at, false),
    writes: ["message_inputs", "messages", "events", "sessions"],
    answer: { outcome: "answered", schedule: "idle" },
  },
  {
    name: "reap",
    prepare: leased,
    run: reap,
    writes: ["attempts", "events", "messages", "sessions"],
    answer: [{ was: "leased", recorded: "lost" }],
  },
  {
    name: "cancel",
    prepare: async (place) => void (await accept(place, db)),
    run: (place, at) => cancel(place, at),
    writes: ["messages", "events", "sessions"],
    answer: "cancelled",
  },
];

/** Ends the step's connection just before it writes the table. Returns false if it does not write there. */
async function dieBefore(table: Table, place: Place, step: MortalStep): Promise<boolean> {
  await using mortal = await connect(encounter.url, "dari_app");
  await mortal.run(`set dari.gate = '${table}'`);
  const pending = observed(step.run(place, mortal.db));
  if (!(await waitsFor(encounter.owner, mortal.pid, encounter.owner.pid, pending))) return false;
  await encounter.owner.run(`select pg_terminate_backend(${mortal.pid}, 10000)`);
  await expect(pending.promise).rejects.toThrow();
  return true;
}

describe.each(steps)("$name", (step) => {
  test.each(step.writes)("a death before it writes %s leaves nothing of it", async (table) => {
    const place = await openPlace(db);
    await step.prepare(place);
    const before = await stateOf(place, db);
    const twin = { ...place, messageIds: [...place.messageIds] };
    expect(await dieBefore(table, twin, step)).toBe(true);
    expect(await stateOf(place, db)).toEqual(before);
    expect(await step.run(place, db)).toEqual(step.answer);
    expect(await faultsAfterDrain(place, db)).toEqual([]);
  });

  test("writes no other table", async () => {
    for (const table of tables.filter((one) => !step.writes.includes(one))) {
      const place = await openPlace(db);
      await step.prepare(place);
      expect({ table, stopped: await dieBefore(table, place, step) }).toEqual({ table, stopped: false });
      expect(await faultsAfterDrain(place, db)).toEqual([]);
    }
  });
});
