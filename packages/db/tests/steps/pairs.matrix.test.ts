// Every pair of steps in one session, in both orders: the first keeps its transaction open, the second runs against it,
// then the first commits or rolls back. The result must be that of both in sequence, or of the second alone, and what
// is left must still run to its end.

import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { findViolations, type Database } from "../../src/index.ts";
import type { Ended } from "./connections.ts";
import { openEncounter, type Encounter } from "./encounter.ts";
import { deleteSessions, drain, openPlace, openSession, stateOf, type Place } from "./place.ts";
import { situations, type Situation, type Step } from "./situations.ts";

let encounter: Encounter;
let db: Database;
let home: Place;
beforeAll(async () => {
  encounter = await openEncounter();
  db = encounter.db;
  home = await openPlace(db);
});
afterEach(async () => {
  await deleteSessions(home, db);
});
afterAll(async () => encounter[Symbol.asyncDispose]());

interface Outcome {
  readonly answer: unknown;
  readonly state: unknown;
}

const isNothing = (answer: unknown): boolean => answer === undefined || (Array.isArray(answer) && answer.length === 0);

async function atTheSameTime(situation: Situation, first: Step, second: Step, ended: Ended): Promise<Outcome> {
  const place = await prepared(situation);
  const run = (step: Step) => (at: Database) => step.run(place, at);
  const met = await encounter.meet(run(first), ended, run(second));
  let answer = met.second;
  const areApart = first.writesApart === true || second.writesApart === true;
  if (!met.waited && !areApart) {
    // Steps that skip locked rows find nothing there, and find them when they run again.
    expect({ passes: second.passes, found: isNothing(answer) ? "nothing" : answer }).toEqual({
      passes: true,
      found: "nothing",
    });
    answer = await second.run(place, db);
  }
  const state = await stateOf(place, db);
  expect(await drain(place, db)).toBe(0);
  return { answer, state };
}

async function oneAfterTheOther(situation: Situation, first: Step, second: Step, ended: Ended): Promise<Outcome> {
  const place = await prepared(situation);
  // A message that is rolled back keeps its label, so that the next one has the same label in both.
  if (ended === "commit") await first.run(place, db);
  else if (first.sends === true) place.messageIds.push("rolled back");
  const answer = await second.run(place, db);
  const state = await stateOf(place, db);
  return { answer, state };
}

async function prepared(situation: Situation): Promise<Place> {
  const place = await openSession(home, db);
  await situation.prepare(place, db);
  return place;
}

describe.each(situations)("$name", (situation) => {
  const steps = Object.entries(situation.steps).map(([name, step]) => ({ name, step }));
  const pairs = steps.flatMap((first) => steps.map((second) => ({ first, second })));
  test.each(pairs)("$second.name against $first.name", async ({ first, second }) => {
    for (const ended of ["commit", "rollback"] as const) {
      const met = await atTheSameTime(situation, first.step, second.step, ended);
      expect(await findViolations(db)).toEqual([]);
      const serial = await oneAfterTheOther(situation, first.step, second.step, ended);
      await deleteSessions(home, db);
      expect({ ended, ...met }).toEqual({ ended, ...serial });
    }
  });
});
